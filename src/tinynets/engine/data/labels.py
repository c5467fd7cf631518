"""Encoding of labels, integers or names, as classes 0..C-1."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


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
