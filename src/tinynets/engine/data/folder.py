"""Load a folder of images as a data set: train/CLASS/, val/CLASS/, test/CLASS/."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from .decode import rgb
from .guard import printable
from .image_data import ImageData, absent_classes, assemble
from .many import core_count, for_each, read_images
from .memory import check_memory, threads_that_fit
from .reading import Header, check_size, read_header

EXTENSIONS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
)
_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_KEPT_SIDE = 128  # pixels


def load_folder(
    root: Path,
    img_size: tuple[int, int] | None = None,
    default_size: tuple[int, int] | None = None,
    in_chans: int | None = None,
    background: str = "white",
    skip_bad: bool = False,
) -> ImageData:
    """Load images in train/CLASS/ and in test/CLASS/ or val/CLASS/. With all three, val/ is the validation set.

    A folder without train/ has an empty training split and can only be evaluated on. Classes are matched by name over
    the splits. Files and folders whose names begin with a dot are ignored.

    Args:
        root: the folder.
        img_size: (H, W) of every image. None: the size that all images share, if it is at most 128 pixels a side (any
            size without default_size), else default_size.
        default_size: (H, W) of the model.
        in_chans: 1 for grey, 3 for colour. None for grey if all images are grey.
        background: colour behind transparent pixels.
        skip_bad: leave out images that cannot be read, and list them in `skipped` of the result.

    Raises:
        ValueError: a folder or its images are missing, images cannot be read or differ in size, or they do not fit into
            memory.
    """
    rgb(background)
    check_size(img_size)
    check_size(default_size)
    found = {part: _list_classes(folder) for part, folder in _find_splits(root).items()}
    names = sorted({name for classes in found.values() for name, (files, _) in classes.items() if files})
    samples = [
        (part, label, file)
        for part, classes in found.items()
        for label, name in enumerate(names)
        for file in classes.get(name, ([], None))[0]
    ]
    _check_found(root, found, names)
    total = len(samples)
    headers, bad = for_each(lambda index: read_header(samples[index][2]), range(len(samples)), "checking")
    bad = {str(samples[index][2]): reason for index, reason in bad.items()}
    samples = [samples[index] for index in headers]
    size, notes = _choose_size(root, list(headers.values()), img_size, default_size) if headers else ((1, 1), [])
    mode = _choose_mode(list(headers.values()), in_chans)
    threads = _plan_memory(root, list(headers.values()), len(mode), size)

    splits: dict[str, tuple[Tensor, Tensor]] = {}
    for part in found:
        here = [(label, file) for where, label, file in samples if where == part]
        images, failed = read_images([file for _, file in here], mode, size, background, threads)
        bad |= {str(here[index][1]): reason for index, reason in failed.items()}
        labels = [label for index, (label, _) in enumerate(here) if index not in failed]
        splits[part] = images, torch.tensor(labels, dtype=torch.int64, device="cpu")
    if bad and not skip_bad:
        raise ValueError(_complaint(root, bad, total))
    for part, (_, labels) in splits.items():
        if len(labels) == 0:
            raise ValueError(f"{printable(root / part)} holds no image that can be read: {next(iter(bad.values()))}")
    notes += _foreign_notes(found) + absent_classes(splits, names)
    return assemble(root.resolve().name, splits, tuple(names), notes, tuple(bad.values()))


def list_images(folder: Path) -> list[Path]:
    """List the image files anywhere in a folder.

    Files and folders whose names begin with a dot are ignored, and so are files without the extension of an image.

    Args:
        folder: the folder.

    Returns:
        Paths, sorted.

    Example:
        >>> from pathlib import Path
        >>> from tinynets.engine import list_images
        >>> for name in ("b.png", "a.jpg", "notes.txt"):
        ...     Path(name).touch()
        >>> print(*list_images(Path(".")))
        a.jpg b.png
    """
    return [path for path in _walk(folder) if path.suffix.lower() in EXTENSIONS]


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


def _list_classes(folder: Path) -> dict[str, tuple[list[Path], Counter[str]]]:
    """The images of every class, and the number of other files by extension.

    Names are compared in Unicode's composed form, because macOS decomposes some names of folders.
    """
    classes: dict[str, tuple[list[Path], Counter[str]]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            files = list(_walk(path))
            images = [file for file in files if file.suffix.lower() in EXTENSIONS]
            others = Counter(file.suffix.lower() for file in files if file.suffix.lower() not in EXTENSIONS)
            name = unicodedata.normalize("NFC", path.name)
            before, others_before = classes.get(name, ([], Counter()))
            classes[name] = before + images, others_before + others
    return classes


def _walk(folder: Path) -> Iterator[Path]:
    """All files, folder by folder, sorted by name. Links are followed, but never to the same folder twice or to one
    above.
    """
    seen: set[str] = set()
    found: list[tuple[str, list[str]]] = []
    for where, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(where)
        seen.add(here)
        folders[:] = [name for name in folders if _leads_on(os.path.realpath(os.path.join(where, name)), here, seen)]
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.append((where, files))
    for where, files in sorted(found):
        yield from (Path(where, name) for name in sorted(files) if not name.startswith("."))


def _leads_on(target: str, here: str, seen: set[str]) -> bool:
    return target not in seen and not here.startswith(target.rstrip(os.sep) + os.sep)


def _check_found(root: Path, found: dict[str, dict[str, tuple[list[Path], Counter[str]]]], names: list[str]) -> None:
    for part, classes in found.items():
        if any(files for files, _ in classes.values()):
            continue
        others = sum((other for _, other in classes.values()), Counter())
        inside = f" (only {_extensions(others)})" if others else ""
        where = f" in {', '.join(list(classes)[:5])}" if classes else ", and no folder of a class"
        raise ValueError(f"{printable(root / part)} holds no images{printable(where)}{inside}")


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
    return "L" if in_chans == 1 or (in_chans is None and all(header.grey for header in headers)) else "RGB"


def _plan_memory(root: Path, headers: list[Header], channels: int, size: tuple[int, int]) -> int:
    """The number of threads that may decode at a time. Raises if not even one thread fits into memory."""
    images = len(headers) * channels * size[0] * size[1]
    largest = max((header.decoding_bytes(size) for header in headers), default=0)
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
        f"{len(reasons):,} of {total:,} images in {printable(root)} cannot be used: {'; '.join(reasons[:10])}{more}: "
        "repair them, or leave them out with --skip-bad (skip_bad=True)"
    )


def _foreign_notes(found: dict[str, dict[str, tuple[list[Path], Counter[str]]]]) -> list[str]:
    others = sum((other for classes in found.values() for _, other in classes.values()), Counter())
    return [f"ignored because of their extensions: {_extensions(others)}"] if others else []


def _extensions(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name or 'without an extension'}" for name, count in counts.most_common(5))
