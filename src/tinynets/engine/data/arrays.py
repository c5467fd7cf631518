"""Data sets from arrays, in an .npz file or a dictionary."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .image_data import ImageData, assemble, channels_first
from .memory import check_memory

_KEY = re.compile("([xy])_(train|val|test)|(train|val|test)_(images|labels)")
_NAMES = "class_names"
_TOLERANCE = 1e-3  # for interpolated floats slightly above 1


def load_arrays(source: Path | Mapping[str, Any]) -> ImageData:
    """Load arrays x_train, y_train, x_test, y_test, or train_images, train_labels, ... (val instead of or beside test).

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W): uint8, or floats in 0..1. Labels are integers or strings.
    class_names is an optional array of strings. Data without training arrays support evaluation only.

    source: an .npz file, or a dictionary.

    Raises:
        ValueError: arrays are missing, damaged, pickled, of another type, shape or range, or too large for
            the memory (one-line message with the file and array).
    """
    file = "the dictionary of arrays" if isinstance(source, Mapping) else source
    try:
        if isinstance(source, Mapping):
            arrays = {str(key): np.asarray(value) for key, value in source.items()}
            return _assembled("arrays", arrays)
        return _assembled(source.stem, _read(source))
    except ValueError as error:
        raise ValueError(f"{file}: {' '.join(str(error).split())}") from error


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():  # opening a pipe would block forever
        raise ValueError("it is not a regular file: choose a folder of images or an .npz")
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(info.file_size for info in file.infolist())
    except Exception as error:
        reason = getattr(error, "strerror", None) or "it was not written by numpy.savez, or is truncated"
        raise ValueError(f"it is not a readable .npz of plain arrays ({reason})") from error
    check_memory(3 * size, "its images", "save fewer or smaller ones")
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # zipfile and numpy raise many exception types
        raise ValueError(f"it is not readable: damaged, or pickled ({error})") from error


def _assembled(title: str, arrays: dict[str, np.ndarray]) -> ImageData:
    images, labels, class_names, ignored = _sorted(arrays)
    encoded, names = encode_labels({key: arrays[key] for key in labels.values()}, class_names)
    splits = {}
    for part, key in images.items():
        pixels, targets = _pixels(key, arrays[key]), encoded[labels[part]]
        if len(pixels) != len(targets):
            raise ValueError(f"{key} has {len(pixels)} images, but {labels[part]} has {len(targets)} labels")
        splits[part] = pixels, targets
    return assemble(title, splits, names, [f"these arrays are not used: {', '.join(ignored)}"] if ignored else [])


def _sorted(
    arrays: dict[str, np.ndarray],
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...] | None, list[str]]:
    """Return the keys of images and labels by split, the class names, and all other keys."""
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    class_names, others = None, []
    for key in arrays:
        if match := _KEY.fullmatch(key.lower()):
            letter, part, other_part, word = match.groups()
            found = images if "x" in (letter or "") or word == "images" else labels
            if (part := part or other_part) in found:
                raise ValueError(f"it contains both {found[part]} and {key}: keep one of them")
            found[part] = key
        elif key.lower() == _NAMES:
            class_names = _class_names(arrays[key])
        else:
            others.append(key)
    for own, other, kind in ((images, labels, "labels"), (labels, images, "images")):
        if unpaired := [own[part] for part in own if part not in other]:
            raise ValueError(f"{unpaired[0]} has no {kind}: add them")
    if not images.keys() & {"test", "val"}:
        present = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(f"it must contain x_train, y_train, x_test, y_test, got {present}")
    return images, labels, class_names, others


def _class_names(values: np.ndarray) -> tuple[str, ...]:
    if values.ndim != 1 or values.dtype.kind not in "UO":
        raise ValueError(f"{_NAMES} must be a list of strings, got {values.dtype} {values.shape}")
    return tuple(map(str, values.tolist()))


def _pixels(key: str, values: np.ndarray) -> Tensor:
    """Convert an array to uint8 (N, C, H, W)."""
    shape = values.shape
    if not (values.dtype == np.uint8 or values.dtype.kind == "f") or len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(
            f"{key} must be uint8 or floats in 0..1, (N, H, W), (N, H, W, C) or (N, C, H, W), got {values.dtype} "
            f"{shape}"
        )
    axes = [axis for axis in (1, 3) if len(shape) == 4 and shape[axis] in (1, 3)]
    if len(shape) == 4 and len(axes) != 1:
        raise ValueError(
            f"{key} {shape} has an ambiguous layout, (N, H, W, C) or (N, C, H, W) with 1 or 3 channels: save gray "
            "images as (N, H, W), and others with only one of these axes of length 1 or 3"
        )
    if values.dtype != np.uint8:
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 1 + _TOLERANCE):  # also rejects NaN
            raise ValueError(f"{key} has values in {low:g}..{high:g}, floats must be in 0..1: undo the normalization")
        values = (values.astype(np.float32) * 255 + 0.5).clip(0, 255).astype(np.uint8)
    images = torch.from_numpy(np.ascontiguousarray(values))
    return images if axes == [1] else channels_first(images)


def encode_labels(
    labels: dict[str, np.ndarray], class_names: Sequence[str] | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Encode the labels of all arrays as int64 (N,), and return them with the class names.

    Args:
        labels: integers or strings, (N,) or (N, 1), by array name. Without class_names the sorted distinct values are
            the classes.
        class_names: names of the classes; labels are then class indices or names.

    Raises:
        ValueError: the labels are invalid, or match no class.
    """
    plain = {name: _plain(name, values) for name, values in labels.items()}
    if len({values.dtype.kind for values in plain.values()}) > 1:
        raise ValueError(f"{' and '.join(plain)} must have one type, strings or integers")
    present = np.unique(np.concatenate(list(plain.values())))
    names = [str(value) for value in present.tolist()]
    if class_names is None:
        indices = list(range(len(present)))
    else:
        index = {name: i for i, name in enumerate(class_names)}
        indices = [index.get(name, -1) for name in names] if present.dtype.kind == "U" else present.tolist()
        if (
            outside := next((n for n, p in zip(names, indices, strict=True) if not 0 <= p < len(index)), None)
        ) is not None:
            raise ValueError(f"label {outside!r} is neither one of the {len(index)} class_names nor an index of them")
        names = list(class_names)
    encoded = {name: np.array(indices)[np.searchsorted(present, values)] for name, values in plain.items()}
    return {name: torch.from_numpy(values.astype(np.int64)) for name, values in encoded.items()}, tuple(names)


def _plain(name: str, values: np.ndarray) -> np.ndarray:
    """Return labels as (N,) strings or non-negative integers."""
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iuU":
        raise ValueError(f"{name} must be integers or strings, (N,) or (N, 1), got {values.dtype} {values.shape}")
    if values.dtype.kind == "U":
        return values
    if values.size and (values.min() < 0 or int(values.max()) > np.iinfo(np.int64).max):
        raise ValueError(
            f"{name} has values in {values.min()}..{values.max()}: labels must be non-negative 64-bit integers"
        )
    return values.astype(np.int64)
