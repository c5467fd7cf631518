"""Available memory, for rejecting data that do not fit before they are read."""

import os
import sys
from pathlib import Path


def check_memory(needed: int, what: str, cure: str) -> None:
    """Raise ValueError unless that many bytes of memory are available."""
    free = available_memory()
    if free is not None and needed > free:
        raise ValueError(
            f"{what} would take {size_text(needed)} of memory, but only {size_text(free)} are free: {cure}"
        )


def threads_that_fit(most: int, each: int, beside: int) -> int:
    """Return the number of threads of `each` bytes that fit into memory beside `beside` bytes, from 1 to `most`."""
    free = available_memory()
    return most if free is None else max(1, min(most, (free - beside) // max(1, each)))


def size_text(count: int) -> str:
    """Format bytes as 512 MB or 72.0 GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def available_memory() -> int | None:
    """Return the bytes that this process can still allocate, limited by machine, control group and ulimit; None if
    unknown.
    """
    known = [free for free in (_machine(), _control_group(), _own_limit()) if free is not None]
    return max(0, min(known)) if known else None


def _machine() -> int | None:
    if sys.platform == "win32":
        return _windows()
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _control_group() -> int | None:
    """Return the memory available to the container, with the file cache counted as available."""
    root = Path("/sys/fs/cgroup")
    for limit, used, cache in (
        (root / "memory.max", root / "memory.current", root / "memory.stat"),
        (root / "memory/memory.limit_in_bytes", root / "memory/memory.usage_in_bytes", root / "memory/memory.stat"),
    ):
        try:
            stat = dict(line.split() for line in cache.read_text().splitlines())
            cached = int(stat.get("inactive_file", stat.get("total_inactive_file", 0)))
            return int(limit.read_text()) - int(used.read_text()) + cached
        except (OSError, ValueError):  # none, or "max"
            continue
    return None


def _own_limit() -> int | None:
    """Return the memory available under `ulimit -v`."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return None


def _windows() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "total_page", "free_page", "total_virtual", "free_virtual", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - other systems' ctypes has none
    return status.free if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None
