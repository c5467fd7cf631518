"""List the image files of a folder: each file once, however it is reached, and nothing left out without a word."""

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
    """What a folder and everything below it holds. Names that begin with a dot do not count.

    Attributes:
        images: files with the extension of an image, sorted.
        others: number of other files by extension.
        unreadable: folders that cannot be listed, with the reason in one line.
        repeated: number of links to files and folders that are listed already.
    """

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    repeated: int = 0

    def notes(self) -> list[str]:
        """A line for each kind of files that were left out."""
        kinds = ", ".join(f"{n} {printable(name) or 'without an extension'}" for name, n in self.others.most_common(5))
        notes = [f"ignored because of their extensions: {kinds}"] if kinds else []
        if self.repeated:
            notes.append(f"{self.repeated:,} links to images or folders that are listed already are left out")
        return notes


def walk_images(folder: str | Path) -> Listing:
    """List all images in a folder. Links are followed; a link to a folder above itself is not.

    A file that is reached in several ways is listed once, under the path without links if there is one.
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


def list_images(folder: Path) -> list[Path]:
    """List the image files anywhere in a folder.

    Files and folders whose names begin with a dot are ignored, and so are files without the extension of an image. A
    file that several links lead to is listed once.

    Args:
        folder: the folder.

    Returns:
        Paths, sorted.

    Raises:
        ValueError: a folder cannot be listed.

    Examples:
        >>> from pathlib import Path
        >>> from tinynets.engine.data import list_images
        >>> for name in ("b.png", "a.jpg", "notes.txt"):
        ...     Path(name).touch()
        >>> print(*list_images(Path(".")))
        a.jpg b.png
    """
    listing = walk_images(folder)
    if listing.unreadable:
        raise ValueError("; ".join(listing.unreadable.values()))
    return listing.images


def _walk(top: str, listing: Listing) -> list[tuple[str, list[str]]]:
    """All folders with their files. Links to folders are entered last, so that a folder is entered by its own path."""

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
    """What the real path of everything in the folder behind a link begins with."""
    return os.path.realpath(link).rstrip(os.sep) + os.sep


def _identity(path: Path) -> object:
    """What two paths to one file have in common."""
    try:
        status = path.stat()
    except OSError:  # a broken link; reading it will say so
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
