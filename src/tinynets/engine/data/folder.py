"""Data sets from a folder of images: train/CLASS/, val/CLASS/, test/CLASS/, or class folders only."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .color_mode import rgb
from .image_data import ImageData
from .listing import Listing, walk_images
from .photo_list import Photo, PhotoList, PhotoOptions
from .photos import read_photos
from .reading import check_size
from .splitting import PARTS, TEST_SIZE, VAL_SIZE, describe, split_files

_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


def load_folder(root: Path, options: PhotoOptions, split: Mapping[str, Any] | None = None) -> ImageData:
    """Load images in train/CLASS/ and in test/CLASS/ or val/CLASS/. With all three, val/ is the validation set.

    A folder without train/ has an empty training split, for evaluation only. Class folders without splits are split by
    file names. Classes are matched by name across splits. Files and folders whose names begin with a dot are ignored.

    Args:
        root: the folder.
        options: settings of reading its images.
        split: how to split class folders: test_size, val_size and seed, or the file names of every split, in which case
            other files are skipped.

    Raises:
        ValueError: a folder or its images are missing, images cannot be read or differ in size, they do not fit into
            memory, or the folder has splits of its own and split is not empty.
    """
    rgb(options.background)
    check_size(options.img_size)
    check_size(options.default_size)
    folders = find_parts(root)
    source: dict[str, Any] = {}
    if folders:
        if given := [name for name in ("test_size", "val_size") if (split or {}).get(name) is not None]:
            option = given[0].replace("_", "-")
            raise ValueError(
                f"{given[0]} (--{option}) has no effect on {root}: it applies to class folders without "
                f"splits, this one has {' and '.join(f'{folder.name}/' for folder in folders.values())}"
            )
        found = _Found()
        for part, folder in folders.items():
            classes = found.add(root, folder)
            found.photos += [
                Photo(path, name, part, path.relative_to(root).as_posix())
                for name, files in classes.items()
                for path in files
            ]
    else:
        found, source = _split_classes(root, split or {})
    names = tuple(sorted({photo.label for photo in found.photos}))
    _check_case(root, names)
    return read_photos(PhotoList(root, found.photos, names, found.notes, found.unreadable, source), options)


@dataclass
class _Found:
    """The photos of a folder, remarks about it, and unlistable folders."""

    photos: list[Photo] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, root: Path, folder: Path) -> dict[str, list[Path]]:
        """Add the images of every class in a folder."""
        listing, classes = _list_classes(folder)
        _check_found(folder, listing, classes)
        self.unreadable |= listing.unreadable
        self.notes += _remarks(folder.resolve().name if folder == root else folder.name, listing, classes)
        return classes


def _split_classes(root: Path, split: Mapping[str, Any]) -> tuple[_Found, dict[str, Any]]:
    """Return the split photos of class folders, and the arguments of `load_data` that reproduce the split."""
    found, title = _Found(), root.resolve().name
    paths: dict[str, dict[str, Path]] = {}
    for name, files in found.add(root, root).items():
        paths[name] = {unicodedata.normalize("NFC", path.relative_to(root).as_posix()): path for path in files}
    defaults = {"test_size": TEST_SIZE, "val_size": VAL_SIZE, "seed": 0}
    source = {key: value if split.get(key) is None else split[key] for key, value in defaults.items()}
    known = "train" in split
    parts = _apply_split(root, paths, split, found.notes) if known else split_files(paths, **source)
    for part in PARTS:
        for name, files in parts[part].items():
            found.photos += [Photo(paths[name][file], name, part, file) for file in files]
    counts = {part: sum(map(len, parts[part].values())) for part in PARTS}
    found.notes.insert(0, describe(title, counts, source["seed"]))
    return found, source


def _apply_split(
    root: Path, paths: dict[str, dict[str, Path]], split: Mapping[str, Any], notes: list[str]
) -> dict[str, dict[str, list[str]]]:
    """Return the files of an existing split; other files are skipped, with a note."""
    part_of = {file: part for part in PARTS for file in split[part]}
    present = [file for files in paths.values() for file in files]
    if missing := sorted(part_of.keys() - set(present)):
        raise ValueError(
            f"{len(missing):,} images of the run's split are missing from {root}, such as "
            f"{missing[0]}: restore them, or start another run"
        )
    if new := len(present) - len(part_of):
        notes.append(f"{new:,} images are not in the run's split and are ignored")
    return {
        part: {name: [file for file in files if part_of.get(file) == part] for name, files in paths.items()}
        for part in PARTS
    }


def find_parts(root: Path) -> dict[str, Path]:
    """Return the folders of the splits; empty for class folders, one of which may be called train."""
    found = {}
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    for part, names in _SPLITS.items():
        matches = [path for path in folders if path.name.lower() in names]
        if len(matches) > 1:
            raise ValueError(f"{root} has both {matches[0].name}/ and {matches[1].name}/: keep one of them")
        if matches:
            found[part] = matches[0]
    others = len(folders) - len(found)
    if others and not any(path.is_dir() for folder in found.values() for path in folder.iterdir()):
        return {}
    if not found or list(found) == ["train"]:
        inside = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
        content = f"contains {', '.join(inside[:5])}{', ...' if len(inside) > 5 else ''}" if inside else "is empty"
        raise ValueError(
            f"{root} must contain a folder for every class, or train/ and test/ or val/ with these folders; "
            f"it {content}"
        )
    return found


def _check_case(root: Path, names: tuple[str, ...]) -> None:
    """Raise ValueError if two class names differ by case only, since some file systems do not distinguish them."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise ValueError(
                f"{root} has the classes {other} and {name}, which differ only by case: merge them, or rename one"
            )


def _list_classes(folder: Path) -> tuple[Listing, dict[str, list[Path]]]:
    """Return the listing of a split and the images of every class.

    Names are compared in Unicode's composed form, since macOS decomposes some folder names.
    """
    folders = (path.name for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("."))
    classes: dict[str, list[Path]] = {unicodedata.normalize("NFC", name): [] for name in folders}
    listing = walk_images(folder)
    for path in listing.images:
        first, *deeper = path.relative_to(folder).parts
        if deeper:
            classes[unicodedata.normalize("NFC", first)].append(path)
    return listing, classes


def _check_found(folder: Path, listing: Listing, classes: dict[str, list[Path]]) -> None:
    if not any(classes.values()):
        where = f" in {', '.join(list(classes)[:5])}" if classes else ", and no class folders"
        reasons = [*listing.unreadable.values(), *listing.notes()]
        inside = f" ({'; '.join(reasons)})" if reasons else ""
        raise ValueError(f"{folder} contains no images{where}{inside}")


def _remarks(part: str, listing: Listing, classes: dict[str, list[Path]]) -> list[str]:
    """Return a line for every kind of item in a split that is not part of the data."""
    outside = len(listing.images) - sum(map(len, classes.values()))
    empty = [name for name, files in classes.items() if not files]
    notes = [f"{part}: {note}" for note in listing.notes()]
    if outside:
        notes.append(f"{part}: {outside:,} images outside the class folders are ignored")
    if empty:
        notes.append(f"{part}: no images in {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}")
    return notes
