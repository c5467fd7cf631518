"""One process at a time makes the files of a folder, the others wait for it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

LOCK = ".tinynets.lock"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Let one process at a time open or make the files of a folder. The others wait for it.

    A folder that cannot be written to is not locked. A folder that was created and stays empty is removed.
    """
    created = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / LOCK)
        lock.acquire()
    except OSError:  # nobody can write into it either
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
            if created and os.listdir(root) == [LOCK]:
                shutil.rmtree(root)
