"""Available memory, for rejecting data that do not fit before they are read."""

from pathlib import Path


def check_memory(needed: int, name: str, hint: str) -> None:
    """Raise ValueError unless that many bytes of memory are available."""
    free = available_memory()
    if free is not None and needed > free:
        raise ValueError(
            f"{name} would take {size_text(needed)} of memory, but only {size_text(free)} are available: {hint}"
        )


def threads_that_fit(most: int, each: int, beside: int) -> int:
    """Return the number of threads of `each` bytes that fit into memory beside `beside` bytes, from 1 to `most`."""
    free = available_memory()
    return most if free is None else max(1, min(most, (free - beside) // max(1, each)))


def size_text(count: int) -> str:
    """Format bytes as 512 MB or 72.0 GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def available_memory() -> int | None:
    """Return the bytes that this process can still allocate on Linux, limited by machine and control group; None
    elsewhere.
    """
    known = [free for free in (_machine(), _control_group()) if free is not None]
    return max(0, min(known)) if known else None


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _control_group() -> int | None:
    """Return the memory available to the container, with the file cache counted as available."""
    group = Path("/sys/fs/cgroup")
    try:
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        return limit - used + int(stat["inactive_file"])
    except (OSError, KeyError, ValueError):  # no limit, or "max"
        return None
