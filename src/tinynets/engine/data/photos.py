"""Read the photos of a data set: one size, one number of channels, as much as fits into memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tinynets._text import printable

from .image_data import ImageData, assemble
from .many import core_count, for_each, read_images
from .memory import check_memory, threads_that_fit
from .reading import Header, read_header

_KEPT_SIDE = 128  # pixels


class Photo(NamedTuple):
    """A file, its class, its part ("train", "val", "test"), and its name relative to the folder of the data."""

    path: Path
    label: str
    part: str
    name: str


@dataclass(frozen=True)
class PhotoOptions:
    """How photos are read.

    Attributes:
        img_size: (H, W) of every image. None: the size that all images share, if it is at most 128 pixels a side (any
            size without default_size), else default_size.
        default_size: (H, W) of the model.
        in_chans: 1 for grey, 3 for colour. None for grey if all images are grey.
        background: colour behind transparent pixels.
        skip_bad: leave out images that cannot be read, and list them in `skipped` of the result.
        config: as in `read_image`.
    """

    img_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    in_chans: int | None = None
    background: str = "white"
    skip_bad: bool = False
    config: Mapping[str, Any] | None = field(default=None)


def read_photos(
    root: Path,
    photos: Sequence[Photo],
    class_names: tuple[str, ...],
    options: PhotoOptions,
    notes: Sequence[str] = (),
    unreadable: Mapping[str, str] | None = None,
    source: Mapping[str, Any] | None = None,
) -> ImageData:
    """Read photos into a data set.

    Args:
        root: the folder that messages name.
        photos: the files, those of a part one after the other.
        class_names: names of the classes in the order of the labels.
        options: how they are read.
        notes: remarks of the result.
        unreadable: what could not even be listed, with the reason.
        source: arguments of `load_data` beside those of the options.

    Raises:
        ValueError: images cannot be read or differ in size, or they do not fit into memory.
    """
    bad = dict(unreadable or {})
    total = len(photos) + len(bad)
    headers, failed = for_each(lambda index: read_header(photos[index].path), range(len(photos)), "checking")
    bad |= {str(photos[index].path): reason for index, reason in failed.items()}
    parts = list(dict.fromkeys(photo.part for photo in photos))
    photos = [photos[index] for index in headers]
    size, resized = _choose_size(root, list(headers.values()), options) if headers else ((1, 1), [])
    mode = _choose_mode(list(headers.values()), options.in_chans)
    threads = _plan_memory(root, list(headers.values()), len(mode), size)

    label_of = {name: label for label, name in enumerate(class_names)}
    splits: dict[str, tuple[Tensor, Tensor]] = {}
    files: dict[str, tuple[str, ...]] = {}
    for part in parts:
        here = [photo for photo in photos if photo.part == part]
        paths = [photo.path for photo in here]
        images, failed = read_images(paths, mode, size, options.background, threads, config=options.config)
        bad |= {str(paths[index]): reason for index, reason in failed.items()}
        here = [photo for index, photo in enumerate(here) if index not in failed]
        labels = torch.tensor([label_of[photo.label] for photo in here], dtype=torch.int64, device="cpu")
        splits[part], files[part] = (images, labels), tuple(photo.name for photo in here)
    if bad and not options.skip_bad:
        raise ValueError(_complaint(root, bad, total))
    for part, (_, labels) in splits.items():
        if len(labels) == 0:
            raise ValueError(f"{printable(root / part)} holds no image that can be read: {next(iter(bad.values()))}")
    data = assemble(root.resolve().name, splits, class_names, [*notes, *resized], tuple(bad.values()))
    if "test" not in files:
        files["test"] = files.pop("val")
    given = {"img_size": list(data.img_size), "in_chans": data.in_chans, "background": options.background}
    return replace(data, files=files, source=given | {"skip_bad": options.skip_bad} | dict(source or {}))


def _choose_size(root: Path, headers: list[Header], options: PhotoOptions) -> tuple[tuple[int, int], list[str]]:
    """The (H, W) of all images, and notes about that choice."""
    if options.img_size is not None:
        return options.img_size, []
    sizes = Counter(header.size for header in headers)
    common = next(iter(sizes))
    limit = max(_KEPT_SIDE, *(options.default_size or common))
    if len(sizes) == 1 and max(common) <= limit:
        return common, []
    kind = f"{common[0]}x{common[1]}" if len(sizes) == 1 else "different sizes"
    if options.default_size is None:
        raise ValueError(f"{printable(root)} has images of {kind}: choose one size for all with --img-size (img_size)")
    size = f"{options.default_size[0]}x{options.default_size[1]}"
    return options.default_size, [f"images of {kind} are cropped and resized to {size} (--img-size for another size)"]


def _choose_mode(headers: list[Header], in_chans: int | None) -> str:
    if in_chans not in (None, 1, 3):
        raise ValueError(f"image files have 1 or 3 channels, the model takes {in_chans}")
    return "L" if in_chans == 1 or (in_chans is None and all(header.grey for header in headers)) else "RGB"


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
