"""Reading of a single image file: first frame, EXIF orientation, transparency, resizing and cropping."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from timm.data.transforms_factory import transforms_imagenet_eval
from torch import Tensor

from tinynets._checks import unknown
from tinynets._text import printable

from .color_mode import flatten, is_gray, rgb
from .image_data import channels_first
from .memory import check_memory

_ORIENTATION = 0x0112  # EXIF tag
_LARGE = 1 << 24  # pixels, from which memory is checked
_DECODING = 24  # peak memory of decoding, in bytes per pixel
_PLAIN = {"crop_pct": 1.0, "interpolation": "bilinear"}


class Header(NamedTuple):
    """The header of an image file: displayed (H, W), and whether it is grayscale."""

    size: tuple[int, int]
    gray: bool


def read_image(
    path: str | Path,
    mode: str,
    img_size: tuple[int, int] | None = None,
    background: str = "white",
    config: Mapping[str, Any] | None = None,
) -> Tensor:
    """Read an image file as displayed by an image viewer: first frame, EXIF-oriented, with transparency composited.

    With img_size the image is resized and cropped by timm's evaluation transform, with the same pixels as
    `timm.data.create_transform` of the same configuration.

    Args:
        path: a file of any format that Pillow supports.
        mode: "L" for one channel, "RGB" for three.
        img_size: (H, W). None for the file's own size.
        background: color behind transparent pixels, by name or as "#rrggbb".
        config: timm's crop_pct, crop_mode and interpolation. None for those of tinynets models: bilinear resizing of
            the short side with antialiasing, and a center crop.

    Returns:
        uint8 (C, H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a readable image, or an argument is invalid (one-line message with the file name).

    Examples:
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
    with error_context(path), Image.open(path) as opened:
        return _pixels(opened, mode, img_size, background, config or _PLAIN)


def read_header(path: str | Path) -> Header:
    """Read the header of an image file without decoding it. Raises the errors of `read_image`."""
    with error_context(path), Image.open(path) as image:
        height, width = image.height, image.width
        if image.format == "TIFF":  # Pillow's versions differ in whether this is the upright size
            tags: Any = image
            width, height = tags.tag_v2[256], tags.tag_v2[257]
        # EXIF may come after the pixels of a PNG; Pillow would decode it to look there
        if image.format != "PNG" or "exif" in image.info:
            with contextlib.suppress(Exception):
                if image.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
                    height, width = width, height
        return Header((height, width), is_gray(image))


def check_size(img_size: tuple[int, int] | None) -> None:
    """Raise ValueError unless it is None or (H, W), each at least 1."""
    if img_size is not None and (len(img_size) != 2 or not all(isinstance(s, int) and s >= 1 for s in img_size)):
        raise ValueError(f"img_size must be a height and a width of at least 1, got {img_size}")


def _pixels(
    image: Image.Image, mode: str, img_size: tuple[int, int] | None, background: str, config: Mapping[str, Any]
) -> Tensor:
    """Convert an image to uint8 (C, H, W)."""
    if (pixels := image.width * image.height) > _LARGE:
        check_memory(_DECODING * pixels, "decoding it", "downscale it")
    _fix_transparency(image)
    image.load()
    with contextlib.suppress(Exception):  # broken EXIF, which image viewers ignore
        ImageOps.exif_transpose(image, in_place=True)
    flat = flatten(image, background).convert(mode)
    if img_size is not None:
        size = img_size[0], img_size[1]
        transform: Any = transforms_imagenet_eval(size, use_prefetcher=True, **config)  # to uint8
        return torch.as_tensor(transform(flat))
    return channels_first(torch.from_numpy(np.array(flat))[None])[0]


def _fix_transparency(image: Image.Image) -> None:
    """Scale a PNG's transparent value like its pixels, since Pillow scales only the latter."""
    key, tile = image.info.get("transparency"), getattr(image, "tile", None)
    raw = tile[0][3] if image.format == "PNG" and tile else None
    if isinstance(key, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw == "L;2" else 17)
    elif isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


@contextmanager
def error_context(path: str | Path) -> Iterator[None]:
    """Convert every error raised inside to a one-line error with the file name."""
    name = printable(path)
    try:
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no image at {name}")
        if not path.is_file():  # reading from a pipe would block forever
            raise ValueError(f"{name} is {'a folder' if path.is_dir() else 'not a regular file'}, not an image")
        if path.stat().st_size == 0:
            raise ValueError(f"{name} is an empty file, not an image")
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(str(error) if name in str(error) else f"{name} cannot be read ({error})") from error
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    try:
        yield
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not a readable image (format unknown to Pillow)") from error
    except PermissionError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    except Exception as error:  # Pillow's decoders raise many exception types for damaged files
        reason = printable(" ".join(str(error).split()) or type(error).__name__)
        raise ValueError(f"{name} is not a readable image ({reason})") from error
