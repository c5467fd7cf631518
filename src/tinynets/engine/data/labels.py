"""Convert labels of any kind to classes 0..C-1, unless their meaning is ambiguous."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_MANY = 1000  # with more classes, labels that hardly repeat are taken for numbers


def encode_labels(
    labels: dict[str, np.ndarray], class_names: Sequence[str] | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Convert the labels of all arrays to int64 (N,), and name the classes.

    Args:
        labels: by the name that messages use. Integers, whole floats, bools, strings or one-hot rows; (N,) or (N, 1).
            Values other than 0..C-1 become classes in their order, named by the values.
        class_names: names of the classes. A label is then the position of its class (from 0, or from 1 if labels run
            from 1 to C), or its name.

    Raises:
        ValueError: the labels are ambiguous or not labels.
    """
    plain: dict[str, np.ndarray] = {}
    columns = {}
    for name, values in labels.items():
        plain[name], width = _plain(name, values)
        if width:
            columns[name] = width
    if len(set(columns.values())) > 1:
        raise ValueError(f"one-hot labels differ in their number of classes: {columns}")
    texts = {name: values.dtype.kind == "U" for name, values in plain.items()}
    if len(set(texts.values())) > 1:
        raise ValueError(f"{' and '.join(plain)} must be of one kind, texts or numbers")
    present = np.unique(np.concatenate(list(plain.values())))
    if columns:
        width = next(iter(columns.values()))
        if present[-1] >= width:
            raise ValueError(f"label {present[-1]} is none of the {width} classes of the one-hot labels")
        present = np.arange(width)
    names = [str(value) for value in present.tolist()]
    if class_names is not None:
        positions = _named_positions(present, names, class_names, bool(columns))
        names = list(class_names)
    else:
        positions = np.arange(len(present))
        _check_count(len(present), sum(map(len, plain.values())), next(iter(labels)))
    encoded = {
        name: torch.from_numpy(positions[np.searchsorted(present, values)].astype(np.int64))
        for name, values in plain.items()
    }
    return encoded, tuple(names)


def _plain(name: str, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels as (N,) strings or non-negative integers, and the number of classes if they were one-hot, else 0."""
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} holds bytes that are not UTF-8: save it as texts or integers") from error
    if values.dtype.kind not in "biufU":
        raise ValueError(f"{name} must be integers, texts or one-hot rows, got {values.dtype} {values.shape}")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind != "U":
        return _from_one_hot(name, values), values.shape[1]
    if values.ndim != 1:
        raise ValueError(f"{name} must be (N,), (N, 1) or one-hot (N, classes), got {values.shape}")
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (np.abs(np.nan_to_num(values)) < 2**53) & (values == np.floor(values))
        if not whole.all():
            raise ValueError(f"{name} holds {values[~whole][0]}: labels must be whole numbers, texts or one-hot rows")
        values = values.astype(np.int64)
    if values.dtype.kind == "U":
        return values, 0
    if values.size and values.min() < 0:
        raise ValueError(f"{name} holds {values.min()}: labels must not be negative, leave unlabelled images out")
    if values.size and int(values.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{name} holds {values.max()}: labels must fit into 64-bit integers")
    return values.astype(np.int64), 0


def _from_one_hot(name: str, values: np.ndarray) -> np.ndarray:
    ones = values == 1
    if not ((values == 0) | ones).all() or not (ones.sum(1) == 1).all():
        raise ValueError(f"{name} {values.shape} must have a single 1 in every row, the rest 0: one label an image")
    return ones.argmax(1)


def _named_positions(present: np.ndarray, texts: list[str], class_names: Sequence[str], one_hot: bool) -> np.ndarray:
    """The place among class_names of every value that is present."""
    count = len(class_names)
    place = {name: index for index, name in enumerate(class_names)}
    by_name = [place[text] for text in texts] if all(text in place for text in texts) else None
    if present.dtype.kind == "U":
        if by_name is None:
            missing = next(text for text in texts if text not in place)
            raise ValueError(f"label {missing!r} is none of the {count} class_names")
        return np.array(by_name)
    if one_hot and len(present) != count:
        raise ValueError(f"there are {count} class_names for one-hot labels of {len(present)} classes")
    by_place = None
    if present[-1] < count:
        by_place = present.tolist()
    elif present[0] >= 1 and present[-1] == count:
        by_place = (present - 1).tolist()
    if by_name is not None and by_place is not None and by_name != by_place and not one_hot:
        raise ValueError(
            f"class_names are numbers too, so label {texts[0]} may be the name or the place of a class: "
            "save the names as labels (texts), or leave class_names out"
        )
    chosen = by_place if by_place is not None else by_name
    if chosen is None:
        raise ValueError(f"there are {count} class_names for labels from {present[0]} to {present[-1]}")
    return np.array(chosen)


def _check_count(classes: int, images: int, name: str) -> None:
    if classes > _MANY and classes > images / 2:
        raise ValueError(
            f"{name} holds {classes:,} different labels for {images:,} images: they are numbers or ids, not classes"
        )
