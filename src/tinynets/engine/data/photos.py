"""Decoding of the photos of a data set to a common size and number of channels."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cache import Cache, key_of
from .image_data import ImageData, assemble
from .memory import check_memory, size_text
from .parallel import BLOCK, read_blocks
from .photo_list import Photo, PhotoList, PhotoOptions, Plan, make_plan, read_headers
from .similar import near_duplicates

_logger = logging.getLogger(__name__)

_INFLATED = "bursts and photos saved twice inflate the accuracy (all are in the run's duplicates.txt)"
_MANY = 2000  # photos; decoding more is logged
_USUAL = {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}  # equivalent to no config


def read_photos(listed: PhotoList, options: PhotoOptions) -> ImageData:
    """Read photos into a data set: memory-mapped from the cache, or decoded into memory without one.

    Raises:
        ValueError: images cannot be read or differ in size, or they do not fit into memory.
    """
    if options.cache is not None:
        try:
            return _read_cached(listed, options, options.cache)
        except OSError as error:
            _logger.warning(
                f"cannot cache decoded photos in {options.cache} ({error.strerror or error}): they stay in "
                "memory, and the next run decodes them again (--cache for another folder)"
            )
    plan = make_plan(listed, options, read_headers(listed.photos))
    _check_room(listed, plan, len(plan.photos))
    images = torch.empty(len(plan.photos), *plan.shape, dtype=torch.uint8, device="cpu")
    count = 0

    def keep(block: Tensor) -> None:
        nonlocal count
        images[count : count + len(block)] = block
        count += len(block)

    bad = _decode(listed, options, plan, keep)
    data = _assemble(listed, options, plan, images[:count], bad)
    return replace(data, notes=(*listed.notes, *plan.notes, *data.notes))


def _read_cached(listed: PhotoList, options: PhotoOptions, root: Path) -> ImageData:
    """`read_photos` with a cache, which the first process creates."""
    files = sorted(_status(photo) for photo in listed.photos)
    cache = Cache(root, key_of(str(listed.root.absolute()), files))
    with cache.locked():
        known = cache.metadata("headers")
        headers = read_headers(listed.photos, known)
        if headers != known:
            cache.keep("headers", headers)
        plan = make_plan(listed, options, headers)
        settings = [options.background, options.skip_bad, _USUAL | dict(options.config or {}), listed.class_names]
        name = key_of(plan.shape, settings, [(photo.name, photo.part, photo.label) for photo in plan.photos])
        metadata = cache.metadata(name)
        images = cache.images(name, (metadata["images"], *plan.shape)) if metadata else None
        if metadata is not None and images is not None:
            bad = {int(index): reason for index, reason in metadata["bad"].items()}
            data = _assemble(listed, options, plan, images, bad, metadata)
        else:
            if len(plan.photos) > _MANY:
                _logger.info(f"decoding {plan} once, into {cache.folder} ({size_text(plan.bytes)})")
            _check_room(listed, plan, min(BLOCK, len(plan.photos)))
            with cache.writer(name, plan.bytes) as file:
                bad = _decode(listed, options, plan, lambda block: file.write(block.numpy().data))
            images = cache.images(name, (len(plan.photos) - len(bad), *plan.shape))
            if images is None:
                raise OSError("another program has modified the file")
            data = _assemble(listed, options, plan, images, bad)
            data = replace(data, known_digest=data.digest())
            figures = {"mean": data.mean, "std": data.std, "remarks": data.notes, "digest": data.known_digest}
            figures["duplicates"] = data.duplicates
            cache.keep(name, {"images": len(images), "bad": bad, **figures})
    return replace(data, notes=(*listed.notes, *plan.notes, *data.notes))


def _check_room(listed: PhotoList, plan: Plan, count: int) -> None:
    """Raise ValueError unless that many decoded images fit into memory."""
    hint = "choose a smaller size with --img-size (img_size)"
    check_memory(count * math.prod(plan.shape), f"{listed.root}: {plan}", hint)


def _status(photo: Photo) -> tuple[str, int, int]:
    """Return a fingerprint of a file: name, size and modification time."""
    try:
        status = photo.path.stat()
    except OSError:  # reported when it is read
        return photo.name, -1, -1
    return photo.name, status.st_size, status.st_mtime_ns


def _decode(listed: PhotoList, options: PhotoOptions, plan: Plan, keep: Callable[[Tensor], Any]) -> dict[int, str]:
    """Pass all images to keep, block by block; return the indices of unreadable ones, with the reason."""
    channels, *size = plan.shape
    paths, mode = [photo.path for photo in plan.photos], "L" if channels == 1 else "RGB"
    bad = read_blocks(paths, mode, (size[0], size[1]), options.background, options.config, keep)
    errors = plan.bad | {str(paths[index]): reason for index, reason in bad.items()}
    if errors and not options.skip_bad:
        raise ValueError(_error_summary(listed.root, errors, len(listed.photos) + len(listed.unreadable or {})))
    readable = {photo.part for index, photo in enumerate(plan.photos) if index not in bad}
    for part in dict.fromkeys(photo.part for photo in listed.photos):
        if part not in readable:
            reason = next(iter(errors.values()))
            raise ValueError(f"{listed.root / part} contains no readable image: {reason}")
    return bad


def _assemble(
    listed: PhotoList,
    options: PhotoOptions,
    plan: Plan,
    images: Tensor,
    bad: dict[int, str],
    metadata: Mapping[str, Any] | None = None,
) -> ImageData:
    """Build the data set of these images, with remarks; metadata are the statistics and remarks, if already known."""
    photos = [photo for index, photo in enumerate(plan.photos) if index not in bad]
    label_of = {name: label for label, name in enumerate(listed.class_names)}
    labels = torch.tensor([label_of[photo.label] for photo in photos], dtype=torch.int64, device="cpu")
    splits: dict[str, tuple[Tensor, Tensor]] = {}
    files: dict[str, tuple[str, ...]] = {}
    start = 0
    for part, count in Counter(photo.part for photo in photos).items():
        rows = slice(start, start := start + count)
        splits[part], files[part] = (images[rows], labels[rows]), tuple(photo.name for photo in photos[rows])
    settings = {"img_size": list(plan.shape[1:]), "in_chans": plan.shape[0], "background": options.background}
    data = assemble(
        listed.root.resolve().name,
        splits,
        listed.class_names,
        skipped=(*plan.bad.values(), *bad.values()),
        figures=(tuple(metadata["mean"]), tuple(metadata["std"]), tuple(metadata["remarks"])) if metadata else None,
        files=files,
    )
    notes, digest = data.notes, None
    if metadata:
        duplicates, digest = tuple(metadata["duplicates"]), metadata["digest"]
    else:
        pairs = _near_duplicates(splits, files)
        duplicates = tuple(f"{copy}  {original}" for found in pairs.values() for copy, original in found)
        if duplicates:
            counts = " and ".join(f"{len(found):,} of {part}" for part, found in pairs.items() if found)
            example = " and ".join(next(found[0] for found in pairs.values() if found))
            notes = (*notes, f"near-duplicates of training photos: {counts} (such as {example}); {_INFLATED}")
    if "test" not in files:
        files["test"] = files.pop("val")
    source = settings | {"skip_bad": options.skip_bad} | dict(listed.source or {})
    return replace(data, files=files, source=source, notes=notes, duplicates=duplicates, known_digest=digest)


def _near_duplicates(
    splits: Mapping[str, tuple[Tensor, Tensor]], files: Mapping[str, tuple[str, ...]]
) -> dict[str, list[tuple[str, str]]]:
    """Return, by split, the photos that are near duplicates of a training photo, each with that photo."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for part in [part for part in splits if part != "train" and "train" in splits]:
        rows = near_duplicates(splits[part][0], splits["train"][0]).tolist()
        pairs[part] = [(files[part][i], files["train"][row]) for i, row in enumerate(rows) if row >= 0]
    return pairs


def _error_summary(root: Path, bad: dict[str, str], total: int) -> str:
    """Return the first ten reasons and their total number, in one line."""
    reasons = list(bad.values())
    more = f"; and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return (
        f"{len(reasons):,} of {total:,} images in {root} cannot be used: "
        f"{'; '.join(reasons[:10])}{more}: "
        "repair them, or skip them with --skip-bad (skip_bad=True)"
    )
