"""Sources of named arrays: an .npz file, .npy files in a folder, or memory. Nothing is unpickled."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from tinynets._text import printable

_Header = tuple[tuple[int, ...], np.dtype]


class ArraySource:
    """Named arrays. Shapes and types are known at once; values are read when they are asked for.

    Attributes:
        name: what messages call the source.
        title: name of the data set.
        in_memory: whether the arrays are in memory already.
    """

    in_memory = False

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title

    def names(self) -> list[str]:
        raise NotImplementedError

    def open(self, key: str) -> IO[bytes]:
        """Open the .npy that holds an array."""
        raise NotImplementedError

    def header(self, key: str) -> _Header:
        """Shape and type, without reading the values."""
        try:
            with self.open(key) as file:
                shape, dtype = _read_header(file)
        except Exception as error:  # zipfile and numpy raise many things for damaged files
            raise self.damaged(key, error) from error
        if dtype.hasobject:
            raise ValueError(
                f"{self.name} is not a readable .npz of plain arrays: {key} is pickled: save it as a plain array"
            )
        return shape, dtype

    def read(self, key: str) -> np.ndarray:
        self.header(key)
        try:
            with self.open(key) as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        except Exception as error:
            raise self.damaged(key, error) from error

    def damaged(self, key: str, error: Exception) -> ValueError:
        reason = printable(" ".join(str(error).split()) or type(error).__name__)
        return ValueError(f"{self.name}: {key} is not readable ({reason}): the file is damaged or not numpy's")


class _Npz(ArraySource):
    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        super().__init__(printable(path), path.stem)
        self.file = file

    def names(self) -> list[str]:
        return [name.removesuffix(".npy") for name in self.file.namelist()]

    def open(self, key: str) -> IO[bytes]:
        name = f"{key}.npy"
        return self.file.open(name if name in self.file.namelist() else key)


class _Folder(ArraySource):
    def __init__(self, path: Path) -> None:
        super().__init__(printable(path), path.resolve().name)
        self.path = path

    def names(self) -> list[str]:
        return [path.stem for path in sorted(self.path.glob("*.npy")) if not path.name.startswith(".")]

    def open(self, key: str) -> IO[bytes]:
        return open(self.path / f"{key}.npy", "rb")


class _Memory(ArraySource):
    in_memory = True

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        super().__init__("the dictionary of arrays", "arrays")
        self.arrays = {str(key): _as_array(str(key), value) for key, value in arrays.items()}

    def names(self) -> list[str]:
        return list(self.arrays)

    def header(self, key: str) -> _Header:
        return self.arrays[key].shape, self.arrays[key].dtype

    def read(self, key: str) -> np.ndarray:
        return self.arrays[key]


@contextmanager
def open_arrays(source: Path | Mapping[str, Any]) -> Iterator[ArraySource]:
    """The arrays of an .npz, of a folder of .npy files, of the .npy files beside one, or of a dictionary.

    Raises:
        ValueError: the file is none of these.
    """
    if isinstance(source, Mapping):
        yield _Memory(source)
    elif source.is_dir():
        yield _Folder(source)
    elif source.suffix.lower() == ".npy":
        yield _Folder(source.parent)
    elif not source.is_file():  # opening a pipe would block forever
        raise ValueError(f"{printable(source)} is not a regular file: choose a folder of images or an .npz")
    else:
        try:
            file = zipfile.ZipFile(source)
        except Exception as error:
            reason = getattr(error, "strerror", None) or "it was not written by numpy.savez, or is cut short"
            raise ValueError(f"{printable(source)} is not a readable .npz of plain arrays ({reason})") from error
        with file:
            yield _Npz(source, file)


def _read_header(file: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version} of the format is for structured arrays, which are not supported")
    return shape, dtype


def _as_array(key: str, value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the dictionary of arrays: {key} is not an array ({' '.join(str(error).split())})") from error
