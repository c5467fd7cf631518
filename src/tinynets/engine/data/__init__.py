import dataclasses
from pathlib import Path
from typing import Any

from tinynets._checks import unknown
from tinynets._guest import plain_defaults
from tinynets._say import say

from .files import load_arrays, load_folder, read_image
from .image_data import ImageData, split_validation, statistics
from .named import LOADERS

__all__ = ["ImageData", "list_data", "load_data", "read_image", "split_validation", "statistics"]


def load_data(
    name: str | Path, data_dir: str | Path | None = None, img_size: tuple[int, int] | None = None
) -> ImageData:
    """Load a data set into memory.

    Args:
        name: one of `list_data()`, the path of a folder with train/CLASS/ and test/CLASS/ or val/CLASS/, or the path
            of an .npz with x_train, y_train, x_test, y_test. "cifar10" is the data set, "./cifar10" and Path("cifar10")
            are a folder.
        data_dir: an existing folder that holds torchvision's files, or that they are downloaded into. None: `data`
            under the working directory, made if need be. Only for torchvision's data sets.
        img_size: (H, W) that the images of a folder are resized to.

    Raises:
        ValueError: unknown name, or files that are not such a data set.
        FileNotFoundError: data_dir does not exist.
        RuntimeError: the files are neither there nor to be had, or scikit-learn is missing.
    """
    source: dict[str, Any] = {"name": str(Path(name).absolute()), "img_size": img_size}
    with plain_defaults():
        if isinstance(name, str) and name in LOADERS:
            _warn_of_namesake(name)
            data = LOADERS[name](data_dir)
            source = {"name": name, "data_dir": None if name == "digits" else str(Path(data_dir or "data").absolute())}
        elif Path(name).is_dir():
            data = load_folder(Path(name), img_size)
        elif Path(name).is_file():
            data = load_arrays(Path(name))
        else:
            raise unknown("data set", str(name), [*LOADERS, "the path of a folder or an .npz"])
    return dataclasses.replace(data, source=source)


def _warn_of_namesake(name: str) -> None:
    if any((Path(name) / part).is_dir() for part in ("train", "test", "val")):
        say(f"tinynets: {name} is the built-in data set of that name; the folder beside you is ./{name}")


def list_data() -> list[str]:
    """Names that `load_data` takes, sorted."""
    return sorted(LOADERS)
