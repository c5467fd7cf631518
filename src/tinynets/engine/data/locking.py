"""Inter-process lock of a folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

LOCK = ".tinynets.lock"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Lock a folder, so that one process at a time opens or creates its files.

    A read-only folder is not locked. A folder that was created and remains empty is removed.
    """
    created = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / LOCK)
        lock.acquire()
    except OSError:  # not writable, so other processes cannot write either
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
            if created and os.listdir(root) == [LOCK]:
                shutil.rmtree(root)
