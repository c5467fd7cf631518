"""Read the photos of a data set: one size, one number of channels, decoded once."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tinynets._text import printable

from .cache import Cache, key_of
from .image_data import ImageData, assemble
from .many import BLOCK, core_count, for_each, read_blocks
from .memory import check_memory, size_text, threads_that_fit
from .reading import Header, read_header
from .similar import look_alikes

_logger = logging.getLogger(__name__)

_KEPT_SIDE = 128  # pixels
_MANY = 2000  # photos whose decoding is announced
_LARGE = 10**9  # bytes in memory that are announced


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
        root: the folder, as messages name it.
        photos: the files, those of a part one after the other.
        class_names: names of the classes in the order of the labels.
        notes: remarks about the folder.
        unreadable: what could not even be listed, with the reason.
        source: arguments of `load_data` beside those of the options.
    """

    root: Path
    photos: Sequence[Photo]
    class_names: tuple[str, ...]
    notes: Sequence[str] = ()
    unreadable: Mapping[str, str] | None = None
    source: Mapping[str, Any] | None = None


def read_photos(listed: PhotoList, options: PhotoOptions) -> ImageData:
    """Read photos into a data set. With a cache they are decoded once and mapped into memory, else they fill it.

    Raises:
        ValueError: images cannot be read or differ in size, or they do not fit into memory.
    """
    if options.cache is not None:
        try:
            return _read_cached(listed, options, options.cache)
        except OSError as error:
            _logger.warning(
                f"decoded photos cannot be kept in {printable(options.cache)} ({error.strerror or error}): they stay "
                "in memory, and the next start decodes them again (--cache for another folder)"
            )
    plan = _plan(listed, options, _headers(listed.photos))
    _check_room(listed, plan, len(plan.photos))
    if plan.bytes > _LARGE:
        _logger.info(f"{printable(listed.root)}: {plan} take {size_text(plan.bytes)} of memory")
    images = torch.empty(len(plan.photos), *plan.shape, dtype=torch.uint8, device="cpu")
    done = 0

    def keep(block: Tensor) -> None:
        nonlocal done
        images[done : done + len(block)] = block
        done += len(block)

    bad = _decode(listed, options, plan, keep)
    data = _assemble(listed, options, plan, images[:done], bad)
    return replace(data, notes=(*listed.notes, *plan.notes, *data.notes))


def _read_cached(listed: PhotoList, options: PhotoOptions, root: Path) -> ImageData:
    """The same, from files that the first of all processes and runs makes."""
    files = sorted(_status(photo.path) for photo in listed.photos)
    cache = Cache(root, key_of(str(listed.root.absolute()), files))
    with cache.locked():
        headers = cache.facts("headers")
        if headers is None:
            headers = _headers(listed.photos)
            cache.keep("headers", headers)
        plan = _plan(listed, options, headers)
        given = [options.background, options.skip_bad, dict(options.config or {}), listed.class_names]
        name = key_of(plan.shape, given, [(photo.name, photo.part, photo.label) for photo in listed.photos])
        facts = cache.facts(name)
        images = cache.images(name, (facts["images"], *plan.shape)) if facts else None
        if facts is not None and images is not None:
            bad = {int(index): reason for index, reason in facts["bad"].items()}
            data = _assemble(listed, options, plan, images, bad, facts)
        else:
            if len(plan.photos) > _MANY:
                _logger.info(f"decoding {plan} once, into {printable(cache.folder)} ({size_text(plan.bytes)})")
            _check_room(listed, plan, min(BLOCK, len(plan.photos)))
            with cache.writer(name, plan.bytes) as file:
                bad = _decode(listed, options, plan, lambda block: file.write(block.numpy().data))
            images = cache.images(name, (len(plan.photos) - len(bad), *plan.shape))
            if images is None:
                raise OSError("another program has changed the file")
            data = _assemble(listed, options, plan, images, bad)
            data = replace(data, known_digest=data.digest())
            figures = {"mean": data.mean, "std": data.std, "remarks": data.notes, "digest": data.known_digest}
            cache.keep(name, {"images": len(images), "bad": bad, **figures})
    return replace(data, notes=(*listed.notes, *plan.notes, *data.notes))


def _status(path: Path) -> tuple[str, int, int]:
    """What changes if a file does: path, size and time."""
    try:
        status = path.stat()
    except OSError:  # reading it will say so
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def _headers(photos: Sequence[Photo]) -> list[Any]:
    """Height, width and whether it is grey of every file by path, or why it cannot be read."""
    paths = sorted(str(photo.path) for photo in photos)
    headers, failed = for_each(lambda index: read_header(paths[index]), range(len(paths)), "checking")
    return [failed[i] if i in failed else (*headers[i].size, headers[i].grey) for i in range(len(paths))]


@dataclass(frozen=True)
class _Plan:
    """What is decoded: the photos whose headers can be read, (C, H, W) of the images, remarks about that size, what
    cannot be read with the reason, and the most memory that decoding takes a thread.
    """

    photos: list[Photo]
    shape: tuple[int, int, int]
    notes: list[str]
    bad: dict[str, str]
    largest: int

    @property
    def bytes(self) -> int:
        return len(self.photos) * math.prod(self.shape)

    def __str__(self) -> str:
        return f"{len(self.photos):,} images of {self.shape[1]}x{self.shape[2]}"


def _plan(listed: PhotoList, options: PhotoOptions, headers: list[Any]) -> _Plan:
    by_path = dict(zip(sorted(str(photo.path) for photo in listed.photos), headers, strict=True))
    bad = {path: header for path, header in by_path.items() if isinstance(header, str)}
    photos = [photo for photo in listed.photos if str(photo.path) not in bad]
    known = [Header((h, w), bool(grey)) for h, w, grey in (by_path[str(photo.path)] for photo in photos)]
    size, notes = _choose_size(listed.root, known, options) if known else ((1, 1), [])
    channels = 1 if _choose_mode(known, options.in_chans) == "L" else 3
    largest = max((header.decoding_bytes for header in known), default=0)
    return _Plan(photos, (channels, *size), notes, dict(listed.unreadable or {}) | bad, largest)


def _check_room(listed: PhotoList, plan: _Plan, held: int) -> None:
    """Raise ValueError if that many images, and one thread that decodes, do not fit into memory."""
    size = held * math.prod(plan.shape)
    threads = threads_that_fit(core_count(), plan.largest, size)
    check_memory(
        size + threads * plan.largest,
        f"{printable(listed.root)}: {plan}",
        "choose a smaller size with --img-size (img_size)"
        + (", or make the largest files smaller" if plan.largest else ""),
    )


def _decode(listed: PhotoList, options: PhotoOptions, plan: _Plan, keep: Callable[[Tensor], Any]) -> dict[int, str]:
    """Hand all images to keep, block by block. Returns the indices of those that cannot be read, with the reason."""
    channels, *size = plan.shape
    threads = threads_that_fit(core_count(), plan.largest, min(BLOCK, len(plan.photos)) * math.prod(plan.shape))
    paths, mode = [photo.path for photo in plan.photos], "L" if channels == 1 else "RGB"
    bad = read_blocks(paths, mode, (size[0], size[1]), options.background, threads, options.config, keep)
    every = plan.bad | {str(paths[index]): reason for index, reason in bad.items()}
    if every and not options.skip_bad:
        raise ValueError(_complaint(listed.root, every, len(listed.photos) + len(listed.unreadable or {})))
    kept = {photo.part for index, photo in enumerate(plan.photos) if index not in bad}
    for part in dict.fromkeys(photo.part for photo in listed.photos):
        if part not in kept:
            reason = next(iter(every.values()))
            raise ValueError(f"{printable(listed.root / part)} holds no image that can be read: {reason}")
    return bad


def _assemble(
    listed: PhotoList,
    options: PhotoOptions,
    plan: _Plan,
    images: Tensor,
    bad: dict[int, str],
    facts: Mapping[str, Any] | None = None,
) -> ImageData:
    """The data set of these images, with what was remarked about them.

    facts: the statistics and remarks, if they are known.
    """
    photos = [photo for index, photo in enumerate(plan.photos) if index not in bad]
    label_of = {name: label for label, name in enumerate(listed.class_names)}
    labels = torch.tensor([label_of[photo.label] for photo in photos], dtype=torch.int64, device="cpu")
    splits: dict[str, tuple[Tensor, Tensor]] = {}
    files: dict[str, tuple[str, ...]] = {}
    start = 0
    for part, count in Counter(photo.part for photo in photos).items():
        rows = slice(start, start := start + count)
        splits[part], files[part] = (images[rows], labels[rows]), tuple(photo.name for photo in photos[rows])
    if "test" not in files:
        files["test"] = files.pop("val")
    given = {"img_size": list(plan.shape[1:]), "in_chans": plan.shape[0], "background": options.background}
    data = assemble(
        listed.root.resolve().name,
        splits,
        listed.class_names,
        skipped=(*plan.bad.values(), *bad.values()),
        figures=(tuple(facts["mean"]), tuple(facts["std"]), tuple(facts["remarks"])) if facts else None,
    )
    remarks = data.notes if facts else (*data.notes, *_look_alikes(splits))
    source = given | {"skip_bad": options.skip_bad} | dict(listed.source or {})
    digest = facts["digest"] if facts else None
    return replace(data, files=files, source=source, notes=remarks, known_digest=digest)


def _look_alikes(splits: Mapping[str, tuple[Tensor, Tensor]]) -> list[str]:
    """A line about photos that are on both sides of a split."""
    held_out = {part: images for part, (images, _) in splits.items() if part != "train"}
    if "train" not in splits or not held_out:
        return []
    counts = {part: int(look_alikes(images, splits["train"][0]).sum()) for part, images in held_out.items()}
    if not any(counts.values()):
        return []
    found = " and ".join(f"{count:,} of {part}" for part, count in counts.items() if count)
    return [
        f"photos that equal or look like a training photo (saved twice, bursts): {found}; they flatter the accuracy"
    ]


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


def _complaint(root: Path, bad: dict[str, str], total: int) -> str:
    """The first ten reasons and the number of all, in one line."""
    reasons = list(bad.values())
    more = f"; and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return (
        f"{len(reasons):,} of {total:,} images in {printable(root)} cannot be used: "
        f"{'; '.join(reasons[:10])}{more}: "
        "repair them, or leave them out with --skip-bad (skip_bad=True)"
    )
