"""Listing of the image files in a folder, with duplicates resolved and every omission reported."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tinynets._text import printable

IMG_EXTENSIONS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
)


@dataclass
class Listing:
    """The recursive content of a folder, without names that begin with a dot.

    Attributes:
        images: files with an image extension, sorted.
        others: number of other files by extension.
        unreadable: folders that cannot be listed, with a one-line reason.
        repeated: number of links to files and folders that are already listed.
    """

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    repeated: int = 0

    def notes(self) -> list[str]:
        """Return a line for each kind of omitted files."""
        kinds = ", ".join(f"{n} {printable(name) or 'without an extension'}" for name, n in self.others.most_common(5))
        notes = [f"ignored because of their extensions: {kinds}"] if kinds else []
        if self.repeated:
            notes.append(f"{self.repeated:,} links to images or folders that are already listed are ignored")
        return notes


def walk_images(folder: str | Path) -> Listing:
    """List all images in a folder, following links except to a parent folder.

    A file with several paths is listed once, by a path without links if there is one.
    """
    found, listing = [], Listing()
    for where, files in _walk(str(folder), listing):
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith("."):
                continue
            if suffix not in IMG_EXTENSIONS:
                listing.others[suffix] += 1
            else:
                path = os.path.join(where, name)
                found.append((os.path.realpath(path) != os.path.abspath(path), where, name))
    seen = set()
    for _, where, name in sorted(found):
        path = Path(where, name)
        identity = _identity(path)
        if identity in seen:
            listing.repeated += 1
        else:
            seen.add(identity)
            listing.images.append(path)
    listing.images.sort(key=lambda path: (str(path.parent), path.name))
    return listing


def _walk(top: str, listing: Listing) -> list[tuple[str, list[str]]]:
    """Return all folders with their files, links last, so that a folder is entered by its own path if possible."""

    def cannot_list(error: OSError) -> None:
        path = os.fspath(error.filename)
        listing.unreadable[path] = f"the folder {printable(path)} cannot be listed ({error.strerror})"

    pending, seen, found = [top], set(), []
    while pending:
        for where, folders, files in os.walk(pending.pop(0), onerror=cannot_list):
            real = os.path.realpath(where)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if real in seen:
                folders.clear()
                listing.repeated += 1
                continue
            seen.add(real)
            found.append((where, files))
            links = [path for name in folders if os.path.islink(path := os.path.join(where, name))]
            pending += [link for link in links if not f"{real}{os.sep}".startswith(_inside(link))]
    return found


def _inside(link: str) -> str:
    """Return the prefix of the real paths of everything in a linked folder."""
    return os.path.realpath(link).rstrip(os.sep) + os.sep


def _identity(path: Path) -> object:
    """Return a key that is equal for all paths to one file."""
    try:
        status = path.stat()
    except OSError:  # a broken link, reported when it is read
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
