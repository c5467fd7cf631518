"""Read one image file: turn it upright, take the first frame, composite transparency, crop and resize."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tinynets._checks import unknown

from .decode import flatten, is_grey, rgb
from .guard import named, quiet_pillow
from .memory import check_memory

_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_JPEG = ("JPEG", "MPO")
_LARGE = 1 << 24  # pixels


class Header(NamedTuple):
    """What an image file says before it is decoded: its displayed (H, W), whether it is grey, and its format."""

    size: tuple[int, int]
    grey: bool
    format: str | None

    def decoding_bytes(self, img_size: tuple[int, int]) -> int:
        """The most memory that a thread needs to make an image of img_size."""
        pixels = self.size[0] * self.size[1]
        if self.format not in _JPEG:
            return 24 * pixels
        scale = _draft_scale(self.size, img_size)
        fraction = next((s for s in (8, 4, 2) if scale * s <= 1), 1)
        return 6 * pixels + 24 * pixels // fraction**2  # a progressive file's coefficients are held at full size


def read_image(
    path: str | Path, mode: str, img_size: tuple[int, int] | None = None, background: str = "white"
) -> Tensor:
    """Read one image file as an image viewer shows it: first frame, upright, with transparency composited.

    Args:
        path: a file of any format that Pillow reads.
        mode: "L" for one channel, "RGB" for three.
        img_size: (H, W). The largest centred part of these proportions is resized to it, bilinear with antialiasing.
            None for the file's own size.
        background: colour behind transparent pixels, by name or as "#rrggbb".

    Returns:
        uint8 (C, H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a readable image, or an argument is invalid. One line that names the file.

    Example:
        >>> from PIL import Image
        >>> from tinynets.engine import read_image
        >>> Image.new("RGB", (40, 30), "red").save("red.png")
        >>> read_image("red.png", "RGB")[:, 0, 0]
        tensor([255,   0,   0], dtype=torch.uint8)
    """
    if mode not in ("L", "RGB"):
        raise unknown("mode", mode, ("L", "RGB"))
    rgb(background)
    check_size(img_size)
    with quiet_pillow(), named(path), Image.open(path) as opened:
        return torch.from_numpy(_pixels(opened, mode, img_size, background))


def read_header(path: str | Path) -> Header:
    """Size and kind of an image file, without decoding it. Errors are those of `read_image`."""
    with quiet_pillow(), named(path), Image.open(path) as image:
        height, width = image.height, image.width
        if image.format == "TIFF":  # Pillow's versions differ in whether this is the upright size
            tags: Any = image
            width, height = tags.tag_v2[256], tags.tag_v2[257]
        # EXIF may come after the pixels of a PNG; Pillow would decode it to look there
        known = image.format != "PNG" or "exif" in image.info
        if known and _orientation(image) > 4:
            height, width = width, height
        return Header((height, width), is_grey(image), image.format)


def check_size(img_size: tuple[int, int] | None) -> None:
    """Raise ValueError unless it is None or (H, W), each at least 1."""
    if img_size is not None and (len(img_size) != 2 or not all(isinstance(s, int) and s >= 1 for s in img_size)):
        raise ValueError(f"img_size must be a height and a width of at least 1, got {img_size}")


def _pixels(image: Image.Image, mode: str, img_size: tuple[int, int] | None, background: str) -> np.ndarray:
    """uint8 (C, H, W)."""
    if img_size is not None and image.format in _JPEG:
        height, width = img_size[::-1] if _orientation(image) > 4 else img_size
        scale = _draft_scale((image.height, image.width), (height, width))
        image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    if image.width * image.height > _LARGE:
        needed = Header((image.height, image.width), False, None).decoding_bytes((1, 1))
        check_memory(needed, "decoding it", "make it smaller")
    _mend_transparency(image)
    image.load()
    turn = _orientation(image)
    flat = flatten(image, background)
    if img_size is not None:
        height, width = img_size
        flat = _fit(flat, (height, width) if turn > 4 else (width, height))
    if turn in _TURNS:
        flat = flat.transpose(_TURNS[turn])
    pixels = np.array(flat.convert(mode))
    return pixels[None] if mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _draft_scale(size: tuple[int, int], img_size: tuple[int, int]) -> float:
    """How far a JPEG is reduced while it is decoded: to twice the wanted size. Resizing then halves it."""
    return 2 * max(img_size[0] / size[0], img_size[1] / size[1])


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Crop the largest centred part with the proportions of size, (W, H), and resize it."""
    if image.size == size:
        return image
    scale = min(image.width / size[0], image.height / size[1])
    width, height = size[0] * scale, size[1] * scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, min(left + width, image.width), min(top + height, image.height))
    return image.resize(size, Image.Resampling.BILINEAR, box)


def _orientation(image: Image.Image) -> int:
    """EXIF's, 1 where there is none or it cannot be read."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata raise many things; image viewers show such images
        return 1
    return turn if turn in _TURNS else 1


def _mend_transparency(image: Image.Image) -> None:
    """Scale a PNG's transparent value as Pillow scales the pixels. Pillow keeps the value in the file."""
    key, tile = image.info.get("transparency"), getattr(image, "tile", None)
    raw = tile[0][3] if image.format == "PNG" and tile else None
    if isinstance(key, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw == "L;2" else 17)
    elif isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)
