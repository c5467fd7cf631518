"""The photos of a data set, and the common size and number of channels that they are decoded to."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .parallel import for_each
from .reading import Header, read_header

_KEPT_SIDE = 128  # pixels


class Photo(NamedTuple):
    """A file, its class, its split ("train", "val", "test"), and its name relative to the folder of the data."""

    path: Path
    label: str
    part: str
    name: str


@dataclass(frozen=True)
class PhotoOptions:
    """Settings of reading photos.

    Attributes:
        img_size: (H, W) of every image. None for the common size of all images, if it is at most 128 pixels a side (any
            size without default_size), else default_size.
        default_size: (H, W) of the model.
        in_chans: 1 for grayscale, 3 for color. None for 1 if all images are gray, else 3.
        background: color behind transparent pixels.
        skip_bad: skip unreadable images, and list them in the result's `skipped`.
        config: as in `read_image`.
        cache: folder for decoded photos, None for none.
    """

    img_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    in_chans: int | None = None
    background: str = "white"
    skip_bad: bool = False
    config: Mapping[str, Any] | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class PhotoList:
    """The photos of a folder.

    Attributes:
        root: the folder, for messages.
        photos: the files, grouped by split.
        class_names: names of the classes in the order of the labels.
        notes: remarks about the folder.
        unreadable: folders that cannot be listed, with the reason.
        source: arguments of `load_data` in addition to those of the options.
    """

    root: Path
    photos: Sequence[Photo]
    class_names: tuple[str, ...]
    notes: Sequence[str] = ()
    unreadable: Mapping[str, str] | None = None
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """A decoding plan: photos with readable headers, (C, H, W) of the images, remarks about that size, and unreadable
    files with the reason.
    """

    photos: list[Photo]
    shape: tuple[int, int, int]
    notes: list[str]
    bad: dict[str, str]

    @property
    def bytes(self) -> int:
        return len(self.photos) * math.prod(self.shape)

    def __str__(self) -> str:
        return f"{len(self.photos):,} images of {self.shape[1]}x{self.shape[2]}"


def read_headers(photos: Sequence[Photo], known: Sequence[Any] | None = None) -> list[Any]:
    """Read height, width and grayscale flag, or the reason for an error, of every file by path.

    known: the previous result, of which only errors are read again.
    """
    paths = sorted(str(photo.path) for photo in photos)
    result = list(known or [""] * len(paths))
    missing = [index for index, header in enumerate(result) if isinstance(header, str)]
    headers, failed = for_each(lambda index: read_header(paths[index]), missing, "checking")
    for index in missing:
        result[index] = failed[index] if index in failed else [*headers[index].size, headers[index].gray]
    return result


def make_plan(listed: PhotoList, options: PhotoOptions, headers: Sequence[Any]) -> Plan:
    """Plan the decoding from the result of `read_headers`."""
    by_path = dict(zip(sorted(str(photo.path) for photo in listed.photos), headers, strict=True))
    bad = {path: header for path, header in by_path.items() if isinstance(header, str)}
    photos = [photo for photo in listed.photos if str(photo.path) not in bad]
    known = [Header((h, w), bool(gray)) for h, w, gray in (by_path[str(photo.path)] for photo in photos)]
    size, notes = _choose_size(listed.root, known, options) if known else ((1, 1), [])
    channels = 1 if _choose_mode(known, options.in_chans) == "L" else 3
    return Plan(photos, (channels, *size), notes, dict(listed.unreadable or {}) | bad)


def _choose_size(root: Path, headers: list[Header], options: PhotoOptions) -> tuple[tuple[int, int], list[str]]:
    """Choose the (H, W) of all images; return it with notes about the choice."""
    if options.img_size is not None:
        return options.img_size, []
    sizes = Counter(header.size for header in headers)
    common = next(iter(sizes))
    limit = max(_KEPT_SIDE, *(options.default_size or common))
    if len(sizes) == 1 and max(common) <= limit:
        return common, []
    kind = f"{common[0]}x{common[1]}" if len(sizes) == 1 else "different sizes"
    if options.default_size is None:
        raise ValueError(f"{root} has images of {kind}: choose one size for all with --img-size (img_size)")
    size = f"{options.default_size[0]}x{options.default_size[1]}"
    return options.default_size, [f"images of {kind} are cropped and resized to {size} (--img-size for another size)"]


def _choose_mode(headers: list[Header], in_chans: int | None) -> str:
    if in_chans not in (None, 1, 3):
        raise ValueError(f"image files have 1 or 3 channels, the model expects {in_chans}")
    return "L" if in_chans == 1 or (in_chans is None and all(header.gray for header in headers)) else "RGB"
