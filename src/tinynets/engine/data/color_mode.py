"""Conversion of Pillow images of any mode to 8-bit grayscale or RGB, as displayed by an image viewer."""

from typing import Any

import numpy as np
from PIL import Image, ImageColor

GRAY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B")
_DEEP = ("I", "I;16", "I;16B")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_BITS, _PHOTOMETRIC = 258, 262  # TIFF tags


def flatten(image: Image.Image, background: str = "white") -> Image.Image:
    """Convert an image to mode "L" or "RGB": 8 bits, with transparency composited on the background.

    16-bit grayscale ranges from 0 to 65535.

    Raises:
        ValueError: the mode is not supported, or the composited image has a single color.
    """
    if image.mode not in GRAY_MODES + _COLOR:
        raise ValueError(f"images of mode {image.mode} are not supported: save it with 8 bits")
    if image.mode in _DEEP:
        return _eight_bits(image)
    if image.has_transparency_data:
        return _composite(image, background)
    return image.convert("L" if image.mode in ("L", "1") else "RGB")


def is_gray(image: Image.Image) -> bool:
    """Whether an image is grayscale by its mode or palette, without decoding it."""
    if image.mode != "P" or image.palette is None or not image.palette.mode.startswith("RGB"):
        return image.mode in GRAY_MODES
    width = len(image.palette.mode)
    colors = np.frombuffer(bytes(image.palette.palette), np.uint8)
    colors = colors[: len(colors) // width * width].reshape(-1, width)[:, :3]
    return bool((colors == colors[:, :1]).all())


def rgb(color: str) -> tuple[int, int, int]:
    """Convert a color such as "white" or "#808080" to an RGB tuple.

    Raises:
        ValueError: it is not a color.
    """
    try:
        return ImageColor.getrgb(color)[:3]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"background must be a color such as white, black or #808080, got {color!r}") from error


def _composite(image: Image.Image, background: str) -> Image.Image:
    layer = image.convert("RGBA")
    canvas = Image.new("RGBA", layer.size, (*rgb(background), 255))
    canvas.alpha_composite(layer)
    flat = canvas.convert("RGB")
    alphas: Any = layer.getchannel("A").getextrema()
    colors: Any = flat.getextrema()
    if alphas[0] != alphas[1] and all(low == high for low, high in colors):
        raise ValueError(f"it is one flat color on a {background} background: choose another background")
    return flat


def _eight_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit gray to "L"."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    other = tags.get(_BITS, (16,)) != (16,) or tags.get(_PHOTOMETRIC, 1) != 1 or "transparency" in image.info
    if other or values.min() < 0 or values.max() > 65535:
        raise ValueError("grayscale other than 0 (black) to 65535 (white) is not supported: save it with 8 bits")
    return Image.fromarray((values * np.float32(255 / 65535) + np.float32(0.5)).astype(np.uint8))
