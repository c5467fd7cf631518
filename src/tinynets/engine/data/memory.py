"""Available memory, for rejecting data that do not fit before they are read."""

from pathlib import Path


def check_memory(needed: int, name: str, hint: str) -> None:
    """Raise ValueError unless that many bytes of memory are available."""
    free = available_memory()
    if free is not None and needed > free:
        raise ValueError(
            f"{name} would take {size_text(needed)} of memory, but only {size_text(free)} are available: {hint}"
        )


def size_text(count: int) -> str:
    """Format bytes as 512 MB or 72.0 GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def available_memory() -> int | None:
    """Return the bytes of memory that are available on Linux, None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
