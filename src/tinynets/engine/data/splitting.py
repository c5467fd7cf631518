"""Deterministic splitting of class folders into training, validation and test images by file names."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TEST_SIZE = VAL_SIZE = 0.1
PARTS = ("train", "val", "test")


def split_files(
    files: Mapping[str, Iterable[str]], test_size: float, val_size: float, seed: int
) -> dict[str, dict[str, list[str]]]:
    """Split the files of every class by a hash of their names.

    The SHA-256 of seed and name maps a file to [0, 1): below test_size it is a test image, below test_size + val_size a
    validation image. Adding a file therefore does not reassign others. A class that would lack a test or validation
    image is assigned the file with the next hash, as long as one remains for training.

    Args:
        files: names by class.
        test_size: fraction of test images, 1 for all files.
        val_size: fraction of validation images.
        seed: seed of the hash.

    Returns:
        Names by split and class, in the order of files.

    Raises:
        ValueError: a fraction is out of range.
    """
    check_sizes(test_size, val_size)
    parts: dict[str, dict[str, list[str]]] = {part: {} for part in PARTS}
    for label, paths in files.items():
        names = list(paths)
        part_of = dict.fromkeys(names, "test") if test_size == 1 else _parts(names, test_size, val_size, seed)
        for part in PARTS:
            parts[part][label] = [name for name in names if part_of[name] == part]
    return parts


def _parts(names: list[str], test_size: float, val_size: float, seed: int) -> dict[str, str]:
    """Return the split of every file of a class."""
    hashes = {name: _hash(name, seed) for name in names}
    test = sum(value < test_size for value in hashes.values())
    val = sum(value < test_size + val_size for value in hashes.values()) - test
    min_val = 1 if val_size and len(names) > 2 else 0
    test = max(min(max(test, 1), len(names) - min_val - 1), 0)
    val = max(min(max(val, min_val), len(names) - test - 1), 0)
    ordered = sorted(names, key=lambda name: (hashes[name], name))
    parts = ["test"] * test + ["val"] * val
    return dict.fromkeys(names, "train") | dict(zip(ordered, parts, strict=False))


def _hash(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def check_sizes(test_size: float, val_size: float) -> None:
    """Raise ValueError unless some images remain for training, or all are test images."""
    if test_size != 1 and not (0 < test_size < 1 and 0 <= val_size < 1 and test_size + val_size < 1):
        raise ValueError(
            f"test_size (--test-size) must be above 0, val_size (--val-size) at least 0, and their sum below 1, "
            f"got {test_size:g} and {val_size:g}"
        )


def describe(title: str, counts: Mapping[str, int], seed: int) -> str:
    """Describe the split in one line."""
    if not counts.get("train"):
        return f"{title} has no train/ and test/: all {counts['test']:,} images are test images"
    val = f", {counts['val']:,} validation" if counts.get("val") else ""
    return (
        f"{title} has no train/ and test/: its classes are split by file name into {counts['train']:,} training{val} "
        f"and {counts['test']:,} test images (seed {seed}; --test-size, --val-size)"
    )


def read_split(path: Path) -> dict[str, Any]:
    """Read the split of a run.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        split = json.loads(path.read_text("utf-8"))
        return {**split, **{part: tuple(split[part]) for part in PARTS}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a valid split of a run: remove it, or restore it") from error
