from pathlib import Path

from tinynets._checks import unknown

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
            of an .npz with x_train, y_train, x_test, y_test.
        data_dir: an existing folder that holds torchvision's files, or that they are downloaded into. None: `data`
            under the working directory, made if need be. Only for torchvision's data sets.
        img_size: (H, W) that the images of a folder are resized to.

    Raises:
        ValueError: unknown name, or files that are not such a data set.
        FileNotFoundError: data_dir does not exist.
        RuntimeError: the files are neither there nor to be had, or scikit-learn is missing.
    """
    path = Path(name)
    if str(name) in LOADERS:
        return LOADERS[str(name)](data_dir)
    if path.is_dir():
        return load_folder(path, img_size)
    if path.is_file():
        return load_arrays(path)
    raise unknown("data set", str(name), [*LOADERS, "the path of a folder or an .npz"])


def list_data() -> list[str]:
    """Names that `load_data` takes, sorted."""
    return sorted(LOADERS)
