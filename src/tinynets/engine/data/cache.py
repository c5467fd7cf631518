"""Disk cache of decoded photos, memory-mapped by all processes and later runs."""

import hashlib
import json
import math
import mmap
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from tinynets._files import to_json, write_file

from .locking import locked
from .memory import size_text

VERSION = 2  # of the contents, incremented when pixels or metadata change


def default_cache() -> Path:
    """Return tinynets/ in the user's cache folder: $XDG_CACHE_HOME, or the platform's default."""
    usual = {"win32": os.environ.get("LOCALAPPDATA", "~/AppData/Local"), "darwin": "~/Library/Caches"}
    return Path(os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, "~/.cache")).expanduser() / "tinynets"


def key_of(*metadata: Any) -> str:
    """Hash JSON-serializable values to a folder name."""
    return hashlib.sha256(json.dumps([VERSION, *metadata]).encode()).hexdigest()[:32]


class Cache:
    """The cache files of one list of photos, written atomically.

    Args:
        root: the folder of all caches.
        key: key of the list.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.folder = root / key

    def locked(self) -> AbstractContextManager[None]:
        """Lock the cache: one process creates the files while the others wait."""
        return locked(self.folder)

    def metadata(self, name: str) -> Any:
        """Read the metadata stored under a name; None if there are none."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep(self, name: str, metadata: Any) -> None:
        """Store metadata under a name."""
        write_file(self.folder / f"{name}.json", to_json(metadata))

    @contextmanager
    def writer(self, name: str, size: int) -> Iterator[BinaryIO]:
        """Open a file for images of at most that many bytes.

        Raises:
            OSError: the disk is full, or cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if size > (free := shutil.disk_usage(self.folder).free):
            raise OSError(f"{size_text(size)} are needed, {size_text(free)} are free")
        partial = self.folder / f".{name}.partial"
        try:
            with open(partial, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.folder / f"{name}.u8")
        finally:
            partial.unlink(missing_ok=True)

    def images(self, name: str, shape: tuple[int, ...]) -> Tensor | None:
        """Memory-map images, uint8 of that shape, shared by all processes (copy-on-write); None if there is no file."""
        path = self.folder / f"{name}.u8"
        if not path.is_file() or path.stat().st_size != math.prod(shape):
            return None
        with open(path, "rb") as file:
            if sys.platform == "win32":
                area = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            else:  # without swap reservation, because the file may exceed the memory
                reserve = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
                area = mmap.mmap(
                    file.fileno(), 0, flags=mmap.MAP_PRIVATE | reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE
                )
        return torch.frombuffer(area, dtype=torch.uint8).view(shape)
