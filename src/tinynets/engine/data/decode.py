"""Convert any Pillow image to 8-bit grey or colour, as an image viewer shows it."""

from typing import Any

import numpy as np
from PIL import Image, ImageColor

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
LEAST_DEEP = 1 << 14  # grey of unknown depth is 16-bit if its highest value is at least this
_BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF


def flatten(image: Image.Image, background: str = "white") -> Image.Image:
    """Convert an image to mode "L" or "RGB": 8 bits, with transparency composited on the background.

    Grey with more than 8 bits is scaled as `docs/data.md` describes. 16-bit grey runs from 0 to 65535. For 32-bit
    integers and floats the first of these ranges that holds all values is used: 0..1 (floats only), 0..255, 0..65535
    (only if a value is above 16383).

    Raises:
        ValueError: the mode is not supported, values lie outside those ranges, or the composited image is one flat
            colour.
    """
    if image.mode in _DEEP:
        image = _eight_bits(image)
    elif image.mode not in GREY_MODES + _COLOUR:
        raise ValueError(f"images of mode {image.mode} are not supported")
    elif image.mode in ("La", "RGBa"):  # colours multiplied by alpha
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if _has_alpha(image):
        return _composite(image, background)
    return image.convert("L" if image.mode in ("L", "1") else "RGB")


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colour by its mode or palette. It need not be decoded yet."""
    if image.mode != "P" or image.palette is None or not image.palette.mode.startswith("RGB"):
        return image.mode in GREY_MODES
    width = len(image.palette.mode)
    colours = np.frombuffer(bytes(image.palette.palette), np.uint8)
    colours = colours[: len(colours) // width * width].reshape(-1, width)[:, :3]
    return bool((colours == colours[:, :1]).all())


def rgb(colour: str) -> tuple[int, int, int]:
    """Convert a colour such as "white" or "#808080" to numbers.

    Raises:
        ValueError: it is not a colour.
    """
    try:
        return ImageColor.getrgb(colour)[:3]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"background must be a colour such as white, black or #808080, got {colour!r}") from error


def _has_alpha(image: Image.Image) -> bool:
    if image.mode in ("LA", "PA", "RGBA") or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        return True
    return image.mode == "P" and image.palette is not None and image.palette.mode.endswith("A")


def _composite(image: Image.Image, background: str) -> Image.Image:
    layer = image.convert("RGBA")
    canvas = Image.new("RGBA", layer.size, (*rgb(background), 255))
    canvas.alpha_composite(layer)
    flat = canvas.convert("RGB")
    alphas: Any = layer.getchannel("A").getextrema()
    colours: Any = flat.getextrema()
    if alphas[0] != alphas[1] and all(low == high for low, high in colours):
        raise ValueError(f"it is one flat colour on a {background} background: choose another background")
    return flat


def _eight_bits(image: Image.Image) -> Image.Image:
    """Convert grey with more than 8 bits to "L", or to "LA" if one of its values is transparent."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F":
        grey = _scaled(values, (1, 255, 65535))
    elif image.mode == "I" and image.format not in ("PNG", "PPM"):
        grey = _scaled(values, (255, 65535))
    else:
        depth = tags.get(_BITS, (16,))[0] if image.mode != "I" else 16
        grey = _scaled(values, ((1 << depth) - 1,))
    if image.mode != "F" and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return Image.fromarray(grey)
    alpha = np.where(values == key, 0, 255).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))


def _scaled(values: np.ndarray, tops: tuple[int, ...]) -> np.ndarray:
    """Scale values from 0..top to uint8, where top is the first of tops that holds all of them."""
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("it holds values that are not finite numbers")
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None or (len(tops) > 1 and 255 < high < LEAST_DEEP):
        ranges = " or ".join(f"0..{top}" for top in tops)
        raise ValueError(f"its grey values run from {low:g} to {high:g}, expected {ranges}: scale them")
    return (values * np.float32(255 / top) + np.float32(0.5)).astype(np.uint8)
