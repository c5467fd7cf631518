"""Every Pillow mode in every file format, as gray and as color: what a viewer shows, or one line."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from tinynets.engine import read_image
from tinynets.engine.data.color_mode import flatten, is_gray

OLD_PILLOW = int(PIL.__version__.split(".")[0]) < 13
# modes that Pillow before 13 saves with other values, or cannot read again
WRONG_IN_OLD = {("YCbCr", "TIFF")}
DOCS = Path(__file__).parents[3] / "docs/data.md"
DEEP = ("I", "I;16", "I;16B")
GRAY = ("1", "L", "LA", *DEEP)
COLOR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
FORMATS = (
    *("AVIF", "BMP", "DDS", "GIF", "ICO", "JPEG", "JPEG2000", "PCX"),
    *("PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
LOSSY = {"AVIF": 4, "JPEG": 4, "GIF": 8}  # levels
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
SQUARES = np.array([[[200, 60, 60], [90, 150, 70]], [[50, 60, 120], [90, 60, 30]]], np.uint8).repeat(8, 0).repeat(8, 1)


def picture(mode):
    """An image of that mode that a viewer shows as RAMP (gray) or SQUARES (color), and those pixels (H, W, 3)."""
    if mode == "1":
        shown = np.where(RAMP > 127, 255, 0).astype(np.uint8)
        return Image.fromarray(shown).convert("1"), np.stack([shown] * 3, 2)
    if mode in GRAY:
        deep = RAMP.astype(np.uint16) * 257
        image = {
            "I": lambda: Image.fromarray(deep.astype(np.int32)),
        }.get(mode, lambda: Image.fromarray(RAMP).convert(mode))()
        if mode.startswith("I;16"):
            image = Image.frombytes(mode, (16, 16), deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
        return image, np.stack([RAMP] * 3, 2)
    image = Image.fromarray(SQUARES)
    if mode in ("P", "PA"):
        image = image.quantize(4)
    return image.convert(mode), SQUARES


def luma(pixels):
    return np.array(Image.fromarray(pixels).convert("L"))


def levels_off(got, wanted):
    return int(np.abs(got.astype(int) - wanted.astype(int)).max())


@pytest.mark.parametrize("mode", GRAY + COLOR)
def test_every_mode(mode):
    image, shown = picture(mode)
    assert image.mode == mode
    assert levels_off(np.array(flatten(image).convert("RGB")), shown) <= (3 if mode == "YCbCr" else 0)
    assert is_gray(image) == (mode in GRAY)


def documented():
    """{mode: formats} of the table in the documentation."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\|([^|]*)\|", DOCS.read_text(), re.MULTILINE)
    return {mode: set(re.findall(r"[A-Z0-9]{3,}", formats)) for mode, formats in rows}


@pytest.mark.parametrize("saved", GRAY + COLOR)
def test_every_mode_in_every_format_as_gray_and_as_color(saved, tmp_path):
    table = documented()
    assert set(table) == {*GRAY, *COLOR}
    image, shown = picture(saved)
    for kind in FORMATS:
        path = tmp_path / f"x.{kind.lower()}"
        try:
            image.save(path, kind, **({"lossless": True} if kind == "WEBP" else {"quality": 95}))
        except (OSError, KeyError, ValueError, DeprecationWarning):
            continue  # Pillow writes no such file
        if (OLD_PILLOW and (saved, kind) in WRONG_IN_OLD) or (saved, kind) == ("I", "TIFF"):  # 32 bits are refused
            continue
        with Image.open(path) as opened:
            found = opened.mode
        assert kind in table[found], f"docs/data.md lacks {found} in {kind}"
        color, gray = (read_image(path, target).numpy() for target in ("RGB", "L"))
        if (saved in DEEP and found not in DEEP) or (saved in COLOR and found in GRAY):
            continue  # Pillow has not kept the values as it wrote them
        near = LOSSY.get(kind, 3)
        if kind not in LOSSY or found in GRAY:  # chroma is halved there
            assert levels_off(color.transpose(1, 2, 0), shown) <= near, kind
            assert levels_off(gray[0], luma(shown)) <= near, kind
        else:
            assert np.abs(color.transpose(1, 2, 0).astype(int) - shown).mean() < 12, kind


def strokes(alpha):
    """White ink at the left, black at the right, in the given opacity; nothing elsewhere. (12, 12, 4)"""
    pixels = np.zeros((12, 12, 4), np.uint8)
    pixels[2:10, 2:5] = 255, 255, 255, alpha
    pixels[2:10, 7:10] = 0, 0, 0, alpha
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("background", "behind"), [("white", 255), ("black", 0), ("#808080", 128)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited(mode, background, behind):
    image = strokes(255).convert(mode)
    flat = np.array(flatten(image, background).convert("L"))
    assert (flat[5, 3], flat[5, 8], flat[0, 0]) == (255, 0, behind)
    half = np.array(flatten(strokes(128).convert(mode), background).convert("L"))
    assert half[5, 8] == pytest.approx(behind / 2, abs=2)
    assert half[0, 0] == behind


def png(path, bits, kind, pixels, trns=None, palette=None):
    """A PNG written by hand: bits a sample, kind the color type, pixels rows of bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = len(pixels), len(pixels[0]) * 8 // bits // {0: 1, 2: 3, 3: 1}[kind]
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    data += chunk(b"PLTE", palette) if palette else b""
    data += chunk(b"tRNS", trns) if trns else b""
    path.write_bytes(
        data + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in pixels))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("bits", "kind", "row", "trns", "palette", "shown"),
    [
        (1, 0, b"\x0f", b"\0\0", None, [255] * 8),  # zeros are transparent
        (2, 0, b"\x1b", b"\0\2", None, [0, 85, 255, 255]),
        (4, 0, b"\x0f\x35", b"\0\3", None, [0, 255, 255, 85]),
        (8, 0, b"\x00\x40\x80", b"\0\x40", None, [0, 255, 128]),
        (8, 2, b"\x10\x10\x10\x20\x20\x20", b"\0\x10\0\x10\0\x10", None, [255, 32]),
        (16, 2, b"\x10\x00" * 3 + b"\x20\x00" * 3, b"\x10\0\x10\0\x10\0", None, [255, 32]),
        (8, 3, b"\x00\x01\x02", b"\0\x80", b"\0\0\0\x10\x10\x10\x20\x20\x20", [255, 135, 32]),
    ],
)
def test_transparent_values_of_pngs(tmp_path, bits, kind, row, trns, palette, shown):
    png(tmp_path / "x.png", bits, kind, [row, row], trns, palette)
    if len(set(shown)) == 1:  # nothing is visible
        with pytest.raises(ValueError, match=r"x\.png .*one flat color on a white background"):
            read_image(tmp_path / "x.png", "L")
        return
    assert read_image(tmp_path / "x.png", "L")[0, 0].tolist() == pytest.approx(shown, abs=1)


def test_ink_of_the_color_of_the_background_is_refused(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:5, 2:5] = 255  # white on transparent
    Image.fromarray(pixels).save(tmp_path / "white.png")
    with pytest.raises(ValueError, match=r"white\.png .*one flat color on a white background: choose another"):
        read_image(tmp_path / "white.png", "L")
    assert read_image(tmp_path / "white.png", "L", background="black").unique().tolist() == [0, 255]
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "nothing.png")
    assert read_image(tmp_path / "nothing.png", "L").unique().tolist() == [255]
    with pytest.raises(ValueError, match="background must be a color such as white"):
        read_image(tmp_path / "white.png", "L", background="whitish")


@pytest.mark.parametrize(
    ("values", "tags", "shown"),
    [
        (np.array([[0, 32768, 65535]], np.uint16), {}, [0, 128, 255]),
        (np.array([[0, 256, 65535]], np.int32), {}, None),  # 32 bits
        (np.array([[0, 0.5, 1]], np.float32), {}, None),
        (np.array([[0, 65535]], np.uint16), {262: 0}, None),  # white is 0
    ],
)
def test_deep_gray(tmp_path, values, tags, shown):
    path = tmp_path / "x.tif"
    Image.fromarray(values).save(path, tiffinfo=tags)
    if shown is None:
        with pytest.raises(ValueError, match=r"x\.tif is not a readable image .*not supported: save it with 8 bits"):
            read_image(path, "L")
        return
    assert read_image(path, "L")[0, 0].tolist() == shown
    assert torch.equal(read_image(path, "RGB")[2], read_image(path, "L")[0])
