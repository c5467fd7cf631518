"""Load arrays as a data set, from an .npz file, .npy files in a folder, or a dictionary."""

import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .array_files import ArraySource, open_arrays
from .array_images import pixels_of, plan_pixels
from .image_data import ImageData, assemble
from .labels import encode_labels
from .memory import check_memory

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_ANY = "|".join(_SPLITS)
_IMAGES = re.compile(f"x_({_ANY})|({_ANY})_images")
_LABELS = re.compile(f"y_({_ANY})|({_ANY})_labels")
_NAMES = "class_names"
_USUAL = [f"{letter}_{part}" for part in _SPLITS for letter in "xy"] + [
    f"{part}_{word}" for part in _SPLITS for word in ("images", "labels")
]


def load_arrays(source: Path | Mapping[str, Any]) -> ImageData:
    """Load arrays x_train, y_train, x_test, y_test, or train_images, train_labels, ... (val instead of or beside test).

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W): uint8, or floats in 0..1. `encode_labels` describes the labels.
    class_names is an optional array of strings. Data without training arrays can only be evaluated on.

    source: an .npz file, a folder of .npy files or one of them, or a dictionary.

    Raises:
        ValueError: arrays are missing, damaged, misspelled, pickled, of an ambiguous type, shape or range, or too large
            for the memory. One line that names file and array.
    """
    with open_arrays(source) as arrays:
        try:
            return _load(arrays)
        except ValueError as error:
            text = " ".join(str(error).split())
            raise ValueError(text if text.startswith(arrays.name) else f"{arrays.name}: {text}") from error


def _load(arrays: ArraySource) -> ImageData:
    images, labels, names_key, ignored = _sort_keys(arrays)
    plans = {key: plan_pixels(key, *arrays.header(key)) for key in images.values()}
    raw = 0 if arrays.in_memory else max(plan.raw_bytes for plan in plans.values())
    raw += sum(2 * math.prod(shape) * dtype.itemsize for shape, dtype in map(arrays.header, labels.values()))
    check_memory(raw + sum(plan.pixels for plan in plans.values()), "its images", "save fewer or smaller ones")
    label_arrays = {key: arrays.read(key) for key in labels.values()}
    for part, key in images.items():
        n, lengths = arrays.header(key)[0][0], label_arrays[labels[part]].shape
        if lengths[:1] != (n,):
            raise ValueError(f"{key} has {n} images, but {labels[part]} is {lengths}: they must have one label each")
    class_names = None if names_key is None else _class_names(arrays.read(names_key))
    encoded, class_names = encode_labels(label_arrays, class_names)
    splits: dict[str, tuple[Tensor, Tensor]] = {}
    for part, key in images.items():
        splits[part] = pixels_of(plans[key], arrays.read(key)), encoded[labels[part]]
    notes = [f"these arrays are not used: {', '.join(ignored)}"] if ignored else []
    return assemble(arrays.title, splits, class_names, notes)


def _sort_keys(arrays: ArraySource) -> tuple[dict[str, str], dict[str, str], str | None, list[str]]:
    """The keys of images and labels by split, the key of the class names, and all other keys."""
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    names_key, others = None, []
    for key in arrays.names():
        for found, pattern in ((images, _IMAGES), (labels, _LABELS)):
            if match := pattern.fullmatch(key.lower()):
                part = _SPLITS[match[1] or match[2]]
                if part in found:
                    raise ValueError(f"it holds both {found[part]} and {key}: keep one of them")
                found[part] = key
                break
        else:
            if key.lower() == _NAMES:
                names_key = key
            else:
                others.append(key)
    used = {key.lower() for key in (*images.values(), *labels.values(), names_key or "")}
    for key in others:
        near = difflib.get_close_matches(key.lower(), [n for n in (*_USUAL, _NAMES) if n not in used], 1, cutoff=0.8)
        if near:
            raise ValueError(f"it holds {key}: did you mean {near[0]}?")
    if not images:
        held = ", ".join(sorted(arrays.names())) or "nothing"
        raise ValueError(f"{arrays.name} must hold x_train, y_train, x_test, y_test, it holds {held}")
    for part, key in images.items():
        if part not in labels:
            raise ValueError(f"{arrays.name} holds {key} but not {_partner(key)}")
    for part, key in labels.items():
        if part not in images:
            raise ValueError(f"{arrays.name} holds {key} but not {_partner(key)}")
    if list(images) == ["train"]:
        test = re.sub("train", "test", images["train"].lower())
        raise ValueError(f"{arrays.name} must hold {test} and {_partner(test)} too")
    return images, labels, names_key, others


def _partner(key: str) -> str:
    """x_train of y_train and the reverse."""
    key = key.lower()
    if key[:2] in ("x_", "y_"):
        return ("y" if key[0] == "x" else "x") + key[1:]
    return key.replace("_images", "_labels") if key.endswith("_images") else key.replace("_labels", "_images")


def _class_names(values: np.ndarray) -> tuple[str, ...]:
    if values.ndim != 1 or values.dtype.kind not in "USiuO":
        raise ValueError(f"{_NAMES} must be a list of texts, got {values.dtype} {values.shape}")
    names = tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.tolist())
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise ValueError(f"{_NAMES} holds {twice!r} twice: every class needs a name of its own")
    return names
