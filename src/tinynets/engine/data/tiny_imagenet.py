"""Tiny-ImageNet: 200 classes of ImageNet, 100,000 training and 10,000 validation photos of 64x64 pixels."""

import os
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from torchvision.datasets.utils import download_url

from .image_data import ImageData
from .locking import locked
from .photo_list import Photo, PhotoList, PhotoOptions
from .photos import read_photos

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"
FOLDER = "tiny-imagenet-200"
_NEEDED = ("train", "val/images", "val/val_annotations.txt", "wnids.txt", "words.txt")


def load_tiny_imagenet(root: Path, cache: Path | None = None) -> ImageData:
    """Load Tiny-ImageNet, with its validation images as the test set, since the official test images have no labels.

    Classes are ordered by WordNet id and named by the first name in words.txt that no other class has.

    Args:
        root: the folder that contains tiny-imagenet-200/, or into which the official zip is downloaded and unpacked.
        cache: folder for decoded photos, None for none.

    Raises:
        RuntimeError: the files are missing and could not be downloaded.
        ValueError: files are missing or damaged.

    Source: Le and Yang, Tiny ImageNet Visual Recognition Challenge, 2015.
    """
    folder = root / FOLDER
    with locked(root):
        if not folder.is_dir():
            _download(root)
    if missing := [name for name in _NEEDED if not (folder / name).exists()]:
        raise ValueError(f"{folder} is missing {missing[0]}: remove the folder to download it again")
    wnids = sorted((folder / "wnids.txt").read_text().split())
    names = _class_names(folder, wnids)
    photos = _photos(folder, dict(zip(wnids, names, strict=True)))
    options = PhotoOptions(img_size=(64, 64), in_chans=3, cache=cache)
    return replace(read_photos(PhotoList(folder, photos, names), options), name="tiny_imagenet")


def _download(root: Path) -> None:
    """Download, verify and unpack the zip; the folder is created atomically."""
    archive, partial = root / f"{FOLDER}.zip", root / f".{FOLDER}.partial"
    try:
        download_url(URL, str(root), archive.name, MD5)
        with zipfile.ZipFile(archive) as file:
            members = [name for name in file.namelist() if not name.startswith(f"{FOLDER}/test/")]
            file.extractall(partial, members)
        os.replace(partial / FOLDER, root / FOLDER)
        archive.unlink()
    except Exception as error:
        *_, reason = (type(error).__name__, *str(error).strip().splitlines())
        raise RuntimeError(
            f"tiny_imagenet is not in {root} and could not be downloaded ({reason}): connect to the "
            f"internet, or copy the files of {URL} there"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _class_names(folder: Path, wnids: list[str]) -> tuple[str, ...]:
    words = dict(line.split("\t", 1) for line in (folder / "words.txt").read_text().splitlines() if "\t" in line)
    synonyms = {wnid: words.get(wnid, wnid).strip().split(", ") for wnid in wnids}
    counts = Counter(name for names in synonyms.values() for name in set(names))
    return tuple(next((name for name in synonyms[wnid] if counts[name] == 1), wnid) for wnid in wnids)


def _photos(folder: Path, names: dict[str, str]) -> list[Photo]:
    """Return the files of both splits, by class and name."""
    photos = []
    for wnid, label in names.items():
        images = folder / "train" / wnid / "images"
        files = sorted(os.listdir(images)) if images.is_dir() else []
        files = [file for file in files if file.endswith(".JPEG")]
        if not files:
            raise ValueError(f"{images} contains no images: remove the folder {FOLDER} to download it again")
        photos += [Photo(images / file, label, "train", f"train/{wnid}/images/{file}") for file in files]
    table = (folder / "val" / "val_annotations.txt").read_text()
    labels = sorted(line.split("\t")[:2] for line in table.splitlines())
    photos += [
        Photo(folder / "val" / "images" / file, names[wnid], "test", f"val/images/{file}")
        for file, wnid in labels
        if wnid in names
    ]
    return photos
