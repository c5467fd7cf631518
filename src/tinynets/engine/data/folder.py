"""Load a folder of images as a data set: train/CLASS/, val/CLASS/, test/CLASS/."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinynets._text import printable

from .decode import rgb
from .image_data import ImageData, assemble
from .listing import Listing, walk_images
from .many import core_count, for_each, read_images
from .memory import check_memory, threads_that_fit
from .reading import Header, check_size, read_header

_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_KEPT_SIDE = 128  # pixels


def load_folder(
    root: Path,
    img_size: tuple[int, int] | None = None,
    default_size: tuple[int, int] | None = None,
    in_chans: int | None = None,
    background: str = "white",
    skip_bad: bool = False,
    config: Mapping[str, Any] | None = None,
) -> ImageData:
    """Load images in train/CLASS/ and in test/CLASS/ or val/CLASS/. With all three, val/ is the validation set.

    A folder without train/ has an empty training split and can only be evaluated on. Classes are matched by name over
    the splits. Files and folders whose names begin with a dot are ignored.

    Args:
        root: the folder.
        img_size: (H, W) of every image. None: the size that all images share, if it is at most 128 pixels a side (any
            size without default_size), else default_size.
        default_size: (H, W) of the model.
        in_chans: 1 for gray, 3 for color. None for gray if all images are gray.
        background: color behind transparent pixels.
        skip_bad: leave out images that cannot be read, and list them in `skipped` of the result.
        config: as in `read_image`.

    Raises:
        ValueError: a folder or its images are missing, images cannot be read or differ in size, or they do not fit into
            memory.
    """
    rgb(background)
    check_size(img_size)
    check_size(default_size)
    notes, found, samples, bad = [], set(), [], {}
    folders = _find_splits(root)
    for part, folder in folders.items():
        listing, classes = _list_classes(folder)
        _check_found(root, folder.name, listing, classes)
        bad |= listing.unreadable
        notes += _remarks(root, folder.name, listing, classes)
        found |= {name for name, files in classes.items() if files}
        samples += [(part, name, file) for name, files in classes.items() for file in files]
    names = tuple(sorted(found))
    label_of = {name: label for label, name in enumerate(names)}
    total = len(samples) + len(bad)
    headers, failed = for_each(lambda index: read_header(samples[index][2]), range(len(samples)), "checking")
    bad |= {str(samples[index][2]): reason for index, reason in failed.items()}
    samples = [samples[index] for index in headers]
    size, resized = _choose_size(root, list(headers.values()), img_size, default_size) if headers else ((1, 1), [])
    mode = _choose_mode(list(headers.values()), in_chans)
    threads = _plan_memory(root, list(headers.values()), len(mode), size)

    splits: dict[str, tuple[Tensor, Tensor]] = {}
    for part in folders:
        here = [(label_of[name], file) for where, name, file in samples if where == part]
        images, failed = read_images([file for _, file in here], mode, size, background, threads, config=config)
        bad |= {str(here[index][1]): reason for index, reason in failed.items()}
        labels = [label for index, (label, _) in enumerate(here) if index not in failed]
        splits[part] = images, torch.tensor(labels, dtype=torch.int64, device="cpu")
    if bad and not skip_bad:
        raise ValueError(_complaint(root, bad, total))
    for part, (_, labels) in splits.items():
        if len(labels) == 0:
            raise ValueError(f"{printable(root / part)} holds no image that can be read: {next(iter(bad.values()))}")
    return assemble(root.resolve().name, splits, names, notes + resized, tuple(bad.values()))


def _find_splits(root: Path) -> dict[str, Path]:
    found = {}
    folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
    for part, names in _SPLITS.items():
        here = [path for path in folders if path.name.lower() in names]
        if len(here) > 1:
            raise ValueError(f"{printable(root)} has both {here[0].name}/ and {here[1].name}/: keep one of them")
        if here:
            found[part] = here[0]
    if not found or list(found) == ["train"]:
        inside = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
        holds = (
            f"holds {printable(', '.join(inside[:5]))}{', ...' if len(inside) > 5 else ''}" if inside else "is empty"
        )
        raise ValueError(
            f"{printable(root)} must hold train/ and test/ or val/, each with a folder for every class; it {holds}"
        )
    return found


def _list_classes(folder: Path) -> tuple[Listing, dict[str, list[Path]]]:
    """What a split holds, and the images of every class.

    Names are compared in Unicode's composed form, because macOS decomposes some names of folders.
    """
    folders = (path.name for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("."))
    classes: dict[str, list[Path]] = {unicodedata.normalize("NFC", name): [] for name in folders}
    listing = walk_images(folder)
    for path in listing.images:
        first, *deeper = path.relative_to(folder).parts
        if deeper:
            classes[unicodedata.normalize("NFC", first)].append(path)
    return listing, classes


def _check_found(root: Path, part: str, listing: Listing, classes: dict[str, list[Path]]) -> None:
    if not any(classes.values()):
        where = f" in {', '.join(list(classes)[:5])}" if classes else ", and no folder of a class"
        reasons = [*listing.unreadable.values(), *listing.notes()]
        inside = f" ({'; '.join(reasons)})" if reasons else ""
        raise ValueError(f"{printable(root / part)} holds no images{printable(where)}{inside}")


def _remarks(root: Path, part: str, listing: Listing, classes: dict[str, list[Path]]) -> list[str]:
    """A line for everything in a split that is no part of the data."""
    loose = len(listing.images) - sum(map(len, classes.values()))
    empty = [name for name, files in classes.items() if not files]
    notes = [f"{part}: {note}" for note in listing.notes()]
    if loose:
        notes.append(f"{part}: {loose:,} images outside the folders of the classes are left out")
    if empty:
        notes.append(f"{part}: no images in {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}")
    return notes


def _choose_size(
    root: Path, headers: list[Header], img_size: tuple[int, int] | None, default_size: tuple[int, int] | None
) -> tuple[tuple[int, int], list[str]]:
    """The (H, W) of all images, and notes about that choice."""
    if img_size is not None:
        return img_size, []
    sizes = Counter(header.size for header in headers)
    common = next(iter(sizes))
    limit = max(_KEPT_SIDE, *(default_size or common))
    if len(sizes) == 1 and max(common) <= limit:
        return common, []
    kind = f"{common[0]}x{common[1]}" if len(sizes) == 1 else "different sizes"
    if default_size is None:
        raise ValueError(f"{printable(root)} has images of {kind}: choose one size for all with --img-size (img_size)")
    size = f"{default_size[0]}x{default_size[1]}"
    return default_size, [f"images of {kind} are cropped and resized to {size} (--img-size for another size)"]


def _choose_mode(headers: list[Header], in_chans: int | None) -> str:
    if in_chans not in (None, 1, 3):
        raise ValueError(f"image files have 1 or 3 channels, the model takes {in_chans}")
    return "L" if in_chans == 1 or (in_chans is None and all(header.gray for header in headers)) else "RGB"


def _plan_memory(root: Path, headers: list[Header], channels: int, size: tuple[int, int]) -> int:
    """The number of threads that may decode at a time. Raises if not even one thread fits into memory."""
    images = len(headers) * channels * size[0] * size[1]
    largest = max((header.decoding_bytes for header in headers), default=0)
    threads = threads_that_fit(core_count(), largest, images)
    check_memory(
        images + threads * largest,
        f"{printable(root)}: {len(headers):,} images of {size[0]}x{size[1]}",
        "choose a smaller size with --img-size (img_size)" + (", or make the largest files smaller" if largest else ""),
    )
    return threads


def _complaint(root: Path, bad: dict[str, str], total: int) -> str:
    """The first ten reasons and the number of all, in one line."""
    reasons = list(bad.values())
    more = f"; and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return (
        f"{len(reasons):,} of {total:,} images in {printable(root)} cannot be used: "
        f"{'; '.join(reasons[:10])}{more}: "
        "repair them, or leave them out with --skip-bad (skip_bad=True)"
    )
