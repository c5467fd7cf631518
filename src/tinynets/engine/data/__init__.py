import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinynets._context import plain_defaults

from .arrays import load_arrays
from .builtin import DOWNLOADED, LOADERS
from .cache import default_cache
from .folder import find_parts, load_folder
from .image_data import ImageData, split_validation, statistics
from .parallel import read_images
from .photo_list import PhotoOptions
from .polarity import wrong_polarity
from .reading import read_image
from .splitting import read_split

_logger = logging.getLogger(__name__)

__all__ = [
    "ImageData",
    "list_data",
    "load_data",
    "read_image",
    "read_images",
    "split_validation",
    "statistics",
    "wrong_polarity",
]


def load_data(
    name: str | Path | Mapping[str, Any],
    data_dir: str | Path | None = None,
    img_size: Sequence[int] | None = None,
    *,
    default_size: Sequence[int] | None = None,
    in_chans: int | None = None,
    background: str = "white",
    skip_bad: bool = False,
    config: Mapping[str, Any] | None = None,
    test_size: float | None = None,
    val_size: float | None = None,
    seed: int | None = None,
    split: str | Path | None = None,
    cache: str | Path | bool = True,
) -> ImageData:
    """Load a data set into memory.

    Args:
        name: one of `list_data()`; a folder with train/CLASS/ and test/CLASS/ or val/CLASS/, or with class folders
            only; an .npz file with x_train, y_train, x_test, y_test; or a dictionary of such arrays. "cifar10" is the
            built-in data set, "./cifar10" and Path("cifar10") are folders.
        data_dir: existing folder of a built-in data set's files, which are downloaded if missing. None for `data` in
            the working directory, created if necessary. Not used for digits.
        img_size: (H, W) of the images. Images of a folder are resized by their short side and cropped, others are
            resized.
        default_size: (H, W) if img_size is None, for a folder with large images or images of different sizes.
        in_chans: number of channels of a folder's images, 1 or 3. None for 1 if all images are gray, else 3.
        background: color behind the transparent pixels of a folder's images.
        skip_bad: skip unreadable images of a folder, which are listed in the result's `skipped`.
        config: preprocessing of a folder's images, as in `read_image`.
        test_size: test fraction of every class, for class folders without train/ and test/. The split is a function of
            file names, so adding an image does not reassign others. None for 0.1, 1 for all images.
        val_size: validation fraction of every class, for such folders. None for 0.1.
        seed: seed of the split of such a folder. None for 0.
        split: a run's `split.json`, to reproduce its split of such a folder. Files that it does not list are skipped.
        cache: folder that caches the decoded photos of a folder or of tiny_imagenet, which are then memory-mapped
            instead of copied. True for tinynets/ in the user's cache folder, False for none.

    Returns:
        The data set.

    Raises:
        ValueError: the name is unknown, the files are not a valid data set, the data do not fit into memory, or an
            option has no effect on them.
        FileNotFoundError: data_dir does not exist.
        RuntimeError: the files are missing and could not be downloaded, or scikit-learn is missing.

    Examples:
        >>> import numpy as np
        >>> from tinynets.engine import load_data
        >>> images, labels = np.zeros((4, 28, 28), np.uint8), np.array(["cat", "dog", "cat", "dog"])
        >>> data = load_data({"x_train": images, "y_train": labels, "x_test": images, "y_test": labels})
        >>> data.class_names, data.train_images.shape
        (('cat', 'dog'), torch.Size([4, 1, 28, 28]))
    """
    with plain_defaults():
        cache_dir = default_cache() if cache is True else Path(cache) if cache else None
        split_args = {"test_size": test_size, "val_size": val_size, "seed": seed, "split": split}
        if isinstance(name, Mapping):
            _check_effect("arrays", data_dir, background, skip_bad, split_args)
            return load_arrays(name)
        if isinstance(name, str) and name in LOADERS:
            _check_effect(name, None if name in DOWNLOADED else data_dir, background, skip_bad, split_args)
            _warn_of_namesake(name)
            _warn_of_images(name, data_dir)
            source = {"name": name, "data_dir": None if name == "digits" else str(Path(data_dir or "data").absolute())}
            cache_args = {"cache": cache_dir} if name == "tiny_imagenet" else {}
            return _sized(LOADERS[name](data_dir, **cache_args), img_size, source)
        path = Path(name)
        source = {"name": str(path.absolute())}
        if path.is_dir():
            _check_effect(name, data_dir)
            options = PhotoOptions(
                _size(img_size), _size(default_size), in_chans, background, skip_bad, config, cache_dir
            )
            data = load_folder(path, options, split_args if split is None else read_split(Path(split)))
            return dataclasses.replace(data, source=source | (data.source or {}))
        if path.exists():
            _check_effect(name, data_dir, background, skip_bad, split_args)
            return _sized(load_arrays(path), img_size, source)
        raise ValueError(
            f"unknown data set {str(name)!r}: there is no folder or file {path.absolute()}, "
            f"and the built-in data sets are {', '.join(list_data())}"
        )


def _check_effect(
    name: object,
    data_dir: Any = None,
    background: str = "white",
    skip_bad: bool = False,
    split_args: Mapping[str, Any] | None = None,
) -> None:
    """Raise ValueError for an option that has no effect on these data."""
    if data_dir is not None:
        raise ValueError(
            f"data_dir (--data-dir) has no effect on {name}: it applies to {', '.join(sorted(DOWNLOADED))}; "
            "choose your own data with --data"
        )
    for option, given in (("background (--background)", background != "white"), ("skip_bad (--skip-bad)", skip_bad)):
        if given:
            raise ValueError(f"{option} has no effect on {name}: it applies to folders of image files")
    if given := [key for key, value in (split_args or {}).items() if value is not None]:
        option = f"{given[0]} (--test-size)" if given[0] == "test_size" else given[0]
        raise ValueError(f"{option} has no effect on {name}: it applies to class folders without splits")


def _is_folder(name: str | Path | Mapping[str, Any]) -> bool:
    return not isinstance(name, Mapping) and not (isinstance(name, str) and name in LOADERS) and Path(name).is_dir()


def without_parts(name: str | Path) -> bool:
    """Whether name is a folder of class folders without train/, val/ and test/."""
    return _is_folder(name) and not find_parts(Path(name))


def _sized(data: ImageData, img_size: Sequence[int] | None, source: dict[str, Any]) -> ImageData:
    """Return the data at the requested size, with the arguments that load them again."""
    size = _size(img_size)
    if size is None or size == tuple(data.img_size):
        return dataclasses.replace(data, source=source)
    return dataclasses.replace(data.changed(None, data.in_chans, size), source=source | {"img_size": list(size)})


def _size(size: Sequence[int] | None) -> tuple[int, int] | None:
    return None if size is None else (size[0], size[1])


def _warn_of_namesake(name: str) -> None:
    if any((Path(name) / part).is_dir() for part in ("train", "test", "val")):
        _logger.warning(f"{name} refers to the built-in data set; for the folder use ./{name}")


def _warn_of_images(name: str, data_dir: str | Path | None) -> None:
    """Warn if data_dir looks like a folder of the user's images, into which built-in data would be downloaded."""
    if data_dir is not None and any((Path(data_dir) / part).is_dir() for part in ("train", "test", "val")):
        _logger.warning(f"loading the built-in {name}; for the images in {data_dir} use --data instead of --data-dir")


def list_data() -> list[str]:
    """List the names of the built-in data sets, sorted.

    Returns:
        The names.

    Examples:
        >>> from tinynets.engine import list_data
        >>> list_data()
        ['cifar10', 'cifar100', 'digits', 'mnist', 'tiny_imagenet']
    """
    return sorted(LOADERS)
