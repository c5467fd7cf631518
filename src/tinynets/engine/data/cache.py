"""Decoded photos on the disk: made once, mapped into memory by every process and every later run."""

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

VERSION = 1  # of reading: counted up when the pixels of a file change


def default_cache() -> Path:
    """tinynets/ in the folder for what can be made again: $XDG_CACHE_HOME, or the usual place of the platform."""
    usual = {"win32": os.environ.get("LOCALAPPDATA", "~/AppData/Local"), "darwin": "~/Library/Caches"}
    return Path(os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, "~/.cache")).expanduser() / "tinynets"


def key_of(*metadata: Any) -> str:
    """A name for anything that JSON can say."""
    return hashlib.sha256(json.dumps([VERSION, *metadata]).encode()).hexdigest()[:32]


class Cache:
    """The files about one list of photos. Each is complete or not there.

    Args:
        root: the folder of all caches.
        key: of the list.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.folder = root / key

    def locked(self) -> AbstractContextManager[None]:
        """One process makes the files, the others wait."""
        return locked(self.folder)

    def metadata(self, name: str) -> Any:
        """What was kept under a name, None if nothing was."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep(self, name: str, metadata: Any) -> None:
        """Keep metadata under a name."""
        write_file(self.folder / f"{name}.json", to_json(metadata))

    @contextmanager
    def writer(self, name: str, size: int) -> Iterator[BinaryIO]:
        """A file for images, of at most that many bytes.

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
        """Map images into memory, uint8 of that shape. None if there is no such file.

        The pages are those of the file, shared by all processes. Whoever writes to the tensor gets copies of its own.
        """
        path = self.folder / f"{name}.u8"
        if not path.is_file() or path.stat().st_size != math.prod(shape):
            return None
        with open(path, "rb") as file:
            if sys.platform == "win32":
                area = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            else:  # without a reservation: such a file may be larger than the memory
                reserve = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
                area = mmap.mmap(
                    file.fileno(), 0, flags=mmap.MAP_PRIVATE | reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE
                )
        return torch.frombuffer(area, dtype=torch.uint8).view(shape)
