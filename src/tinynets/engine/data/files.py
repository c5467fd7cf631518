"""Data sets of the user's own: a folder of images, or arrays in an .npz."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.datasets import ImageFolder

from .image_data import ImageData, channels_first, statistics

_ARRAYS = ({part: (f"x_{part}", f"y_{part}") for part in ("train", "val", "test")},) + (
    {part: (f"{part}_images", f"{part}_labels") for part in ("train", "val", "test")},
)


def load_folder(root: Path, img_size: tuple[int, int] | None = None) -> ImageData:
    """Images in train/CLASS/ and in test/CLASS/ or val/CLASS/; with all three, val/ is the validation set.

    img_size: (H, W) that every image is resized to; None if they all have one size. Gray where all images are gray.

    Raises:
        ValueError: a folder is missing, classes or sizes differ, or an image cannot be read.
    """
    found = {part: _open_folder(root / part) for part in ("train", "val", "test") if (root / part).is_dir()}
    if "train" not in found or len(found) == 1:
        raise ValueError(f"{root} must have a folder train/ and one of test/ and val/, with a folder for every class")
    for part, folder in found.items():
        if folder.classes != found["train"].classes:
            odd = sorted(set(folder.classes) ^ set(found["train"].classes))[0]
            raise ValueError(f"{root / part} and {root / 'train'} must have the same classes, only one has {odd}")
    mode = "L" if all(_mode(path) in ("L", "1") for folder in found.values() for path, _ in folder.samples) else "RGB"
    splits = {part: _read_folder(folder, mode, img_size) for part, folder in found.items()}
    return _assemble(root.name, splits, tuple(found["train"].classes))


def load_arrays(path: Path) -> ImageData:
    """Arrays x_train, y_train, x_test, y_test, or train_images, train_labels, ... (val instead of or beside test).

    Images are uint8 (N, H, W) or (N, H, W, C), labels integers from 0; class_names is an optional array of texts.

    Raises:
        ValueError: arrays are missing, of another type or shape, or need pickle.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a readable .npz of plain arrays ({error})") from error
    naming = next((names for names in _ARRAYS if names["train"][0] in arrays), None)
    if naming is None:
        raise ValueError(f"{path} must hold x_train, y_train, x_test, y_test, it holds {', '.join(sorted(arrays))}")
    splits = {}
    for part, (images, labels) in naming.items():
        if images in arrays:
            if labels not in arrays:
                raise ValueError(f"{path} holds {images} but not {labels}")
            splits[part] = _check_arrays(path, images, arrays[images], labels, arrays[labels])
    if len(splits) == 1:
        raise ValueError(f"{path} must hold {naming['test'][0]} and {naming['test'][1]} too")
    classes = 1 + max(int(labels.max()) for _, labels in splits.values())
    names = tuple(str(name) for name in arrays.get("class_names", range(classes)))
    if len(names) < classes:
        raise ValueError(f"{path} has {len(names)} class_names for {classes} classes")
    return _assemble(path.stem, splits, names)


def _assemble(name: str, splits: dict[str, tuple[Tensor, Tensor]], class_names: tuple[str, ...]) -> ImageData:
    test = splits.get("test") or splits["val"]
    val = splits.get("val") if "test" in splits else None
    shapes = {tuple(images.shape[1:]) for images, _ in splits.values()}
    if len(shapes) > 1:
        raise ValueError(f"{name}: all splits must have images of one size, got {sorted(shapes)}")
    mean, std = statistics(splits["train"][0])
    return ImageData(name, *splits["train"], *test, class_names, mean, std, *(val or (None, None)))


def _open_folder(folder: Path) -> ImageFolder:
    try:
        return ImageFolder(str(folder))
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: {str(error).splitlines()[0]}") from error


def _mode(path: str) -> str:
    try:
        with Image.open(path) as image:
            return image.mode
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not a readable image ({error})") from error


def _read_folder(folder: ImageFolder, mode: str, img_size: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    images: Tensor | None = None
    for index, (path, _) in enumerate(folder.samples):
        pixels = read_image(path, mode, img_size)
        if images is None:
            images = torch.empty(len(folder.samples), *pixels.shape, dtype=torch.uint8)
        elif pixels.shape != images.shape[1:]:
            raise ValueError(
                f"{path} is {pixels.shape[1]}x{pixels.shape[2]}, others are {images.shape[2]}x{images.shape[3]}: "
                "name one size for all of them with --img-size (img_size)"
            )
        images[index] = pixels
    assert images is not None  # ImageFolder refuses a class without images
    return images, torch.tensor(folder.targets)


def read_image(path: str | Path, mode: str, img_size: tuple[int, int] | None = None) -> Tensor:
    """One image file as uint8 (C, H, W); mode is PIL's ("L" or "RGB"), resizing bilinear and antialiased.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a readable image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no image at {path}")
    try:
        with Image.open(path) as opened:
            image = opened.convert(mode)
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not a readable image ({error})") from error
    if img_size is not None and image.size != (img_size[1], img_size[0]):
        image = image.resize((img_size[1], img_size[0]), Image.Resampling.BILINEAR)
    return channels_first(torch.from_numpy(np.array(image)).unsqueeze(0))[0]


def _check_arrays(path: Path, images: str, x: np.ndarray, labels: str, y: np.ndarray) -> tuple[Tensor, Tensor]:
    if x.dtype != np.uint8 or x.ndim not in (3, 4):
        raise ValueError(f"{path}: {images} must be uint8 (N, H, W) or (N, H, W, C), got {x.dtype} {x.shape}")
    y = y.squeeze(1) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or len(y) != len(x) or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{path}: {labels} must be {len(x)} integers, got {y.dtype} {y.shape}")
    if len(x) == 0 or y.min() < 0:
        raise ValueError(f"{path}: {images} must not be empty and {labels} must start at 0")
    return channels_first(torch.from_numpy(x)), torch.from_numpy(y.astype(np.int64))
