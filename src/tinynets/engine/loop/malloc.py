import ctypes
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# constants of glibc's malloc.h, with its defaults
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_DEFAULTS = {
    _M_MMAP_MAX: ("MALLOC_MMAP_MAX_", 65536),
    _M_TRIM_THRESHOLD: ("MALLOC_TRIM_THRESHOLD_", 128 * 1024),
    _M_MMAP_THRESHOLD: ("MALLOC_MMAP_THRESHOLD_", 128 * 1024),
}

_lock = threading.Lock()
_users = 0


def keep_freed_memory() -> None:
    """Let glibc retain freed blocks instead of unmapping them, since training steps reallocate the same sizes.

    The setting is process-wide and permanent, so libraries should not call this function. It has no effect on other C
    libraries.
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never trim


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Use `keep_freed_memory` inside; on exit free memory is returned to the system again.

    As glibc cannot report its settings, they are reset to its defaults or to the values in the environment
    (MALLOC_MMAP_MAX_ and others). One difference remains: once set, a threshold no longer adapts to the size of freed
    blocks, so blocks above 128 KiB are always mapped and unmapped.
    """
    global _users
    with _lock:
        _users += 1
        keep_freed_memory()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _restore_defaults()


def _restore_defaults() -> None:
    if (libc := _glibc()) is not None:
        for option, (variable, default) in _DEFAULTS.items():
            text = os.environ.get(variable, "")
            libc.mallopt(option, int(text) if text.isdigit() else default)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
