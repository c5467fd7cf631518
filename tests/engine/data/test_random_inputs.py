"""Random images and arrays of any mode, size, type and damage: the right result or one line, and nothing else."""

import contextlib
import io
import json
import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinynets.engine import load_data, read_image
from tinynets.engine.data.listing import IMG_EXTENSIONS
from tinynets.engine.data.parallel import core_count
from tinynets_cli import main

EXAMPLES = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I", "I;16", "I;16B", "F")
FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP")
EXACT = ("BMP", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF")
DTYPES = ("?", "u1", "i1", "u2", "i2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "U3", "S2", "O", "M8[s]")


def random_image(draw, mode, height, width):
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    deep = {"I;16": ("<u2", 65535), "I;16B": (">u2", 65535), "I": ("<i4", draw(st.sampled_from([255, 65535, 10**6])))}
    if mode in deep:
        dtype, top = deep[mode]
        values = generator.integers(0, top + 1, (height, width)).astype(dtype)
        return Image.frombytes(mode, (width, height), values.tobytes())
    if mode == "F":
        return Image.fromarray((generator.random((height, width)) * draw(st.sampled_from([1, 255, 9e4]))).astype("f4"))
    channels = len(Image.new(mode, (1, 1)).getbands())
    if mode in ("1", "P", "PA"):
        gray = Image.fromarray(generator.integers(0, 256, (height, width), dtype=np.uint8))
        return gray.convert("P").convert(mode) if mode == "PA" else gray.convert(mode)
    values = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), values.tobytes())


def claim_size(content, width, height):
    """A PNG that says it is larger than it is."""
    if not content.startswith(b"\x89PNG"):
        return content
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@st.composite
def image_files(draw):
    """(extension, bytes, the image if they are as Pillow saved it without loss)."""
    mode, kind = draw(st.sampled_from(MODES)), draw(st.sampled_from(FORMATS))
    image = random_image(draw, mode, draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    options = {}
    if draw(st.booleans()):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = draw(st.integers(0, 9))
    if mode in ("L", "P") and kind in ("PNG", "GIF") and draw(st.booleans()):
        options["transparency"] = draw(st.integers(0, 255))
    file = io.BytesIO()
    try:
        image.save(file, kind, **options)
    except (OSError, ValueError, KeyError, TypeError, SystemError):
        file = io.BytesIO()
        image.convert("RGB").save(file, "PNG")
        image, kind, options = image.convert("RGB"), "PNG", {}
    content = file.getvalue()
    damage = draw(st.sampled_from(["none", "none", "cut", "noise", "zeros", "claim", "empty", "text"]))
    at = int(draw(st.floats(0, 1)) * len(content))  # encoders do not always write the same number of bytes
    if damage == "cut":
        content = content[:at]
    elif damage == "noise":
        content = content[:at] + draw(st.binary(min_size=1, max_size=40)) + content[at + 20 :]
    elif damage == "zeros":
        content = content[:at] + bytes(30) + content[at + 30 :]
    elif damage == "claim":
        content = claim_size(content, draw(st.integers(0, 2**31 - 1)), draw(st.integers(0, 5000)))
    elif damage == "empty":
        content = b""
    elif damage == "text":
        content = draw(st.text()).encode()
    known = damage == "none" and kind in EXACT and not options and mode in ("1", "L", "RGB", "RGBX", "CMYK", "RGBA")
    if kind == "QOI" or mode == "RGBX":
        known = known and mode == "RGB"
    return draw(st.sampled_from(IMG_EXTENSIONS)), content, image if known else None


def shown(image):
    """What a viewer shows of an 8-bit image, by numpy alone. (3, H, W)"""
    values = np.asarray(image.convert("RGB") if image.mode in ("1", "L", "CMYK") else image).astype(float)
    if image.mode == "RGBA":
        alpha = values[..., 3:] / 255
        values = values[..., :3] * alpha + 255 * (1 - alpha)
    return values[..., :3].transpose(2, 0, 1)


@contextlib.contextmanager
def bounded(announced):
    """The memory that is taken inside stays within the announced bytes and 64 MB for all the rest (Linux)."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not (reset.exists() and os.access(reset, os.W_OK)):
        yield
        return

    def read(name):
        return next(1024 * int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))

    reset.write_text("5")
    before = read("VmRSS:")
    yield
    assert read("VmHWM:") - before < announced + 64 * 2**20


def one_line(error, *names):
    text = str(error)
    assert text, "an error without words"
    assert len(text.splitlines()) == 1, text
    assert any(str(name) in text for name in names), text


def decoding(content):
    """What may be held to decode these bytes: nothing if Pillow does not open them or they claim too much."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return 24 * image.width * image.height
    except Exception:
        return 0


def check_folder(files, img_size, skip_bad):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for index, (extension, content, _) in enumerate(files):
            folder = root / ("train", "test")[index % 2] / ("a", "b")[index // 2 % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{index}{extension}").write_bytes(content)
        announced = 3 * 64 * 64 * len(files) + core_count() * max(decoding(content) for _, content, _ in files)
        try:
            with bounded(announced):
                data = load_data(root, img_size=img_size, default_size=(16, 16), skip_bad=skip_bad)
        except ValueError as error:
            one_line(error, root)
            return
        images = torch.cat([data.train_images, data.test_images])
        assert images.dtype == torch.uint8
        assert len(images) + len(data.skipped) == len(files)
        assert not data.skipped or skip_bad
        assert images.shape[2:] == (img_size or images.shape[2:])


def check_reading(file):
    extension, content, image = file
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"x{extension}"
        path.write_bytes(content)
        try:
            with bounded(decoding(content)):
                pixels = read_image(path, "RGB")
        except ValueError as error:
            one_line(error, path)
            assert image is None or image.mode == "RGBA"  # ink of the background's color may be refused
            return
        if image is not None:
            assert np.abs(pixels.numpy() - shown(image)).max() <= 1.01


def check_predict(files):
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{index}{extension}" for index, (extension, _, _) in enumerate(files)]
        for path, (_, content, _) in zip(paths, files, strict=True):
            path.write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        code = 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main(["predict", "simplecnn_mnist", *map(str, paths), "--json"])
        except SystemExit as stop:
            code = stop.code
        lines = [line for line in err.getvalue().splitlines() if "background" not in line or "error:" in line]
        assert len(lines) == (code != 0), lines
        done = json.loads(out.getvalue())["predictions"] if out.getvalue() else []
        bad = [path for path in paths if str(path) not in [p["image"] for p in done]]
        assert (code != 0) == bool(bad)
        for path in bad:
            assert str(path) in lines[0]
        for prediction in done:
            assert 0 < sum(c["probability"] for c in prediction["classes"]) <= 1.001


@st.composite
def arrays(draw):
    """A dictionary of arrays, and the images of its training part where it is plain what they are."""
    n = draw(st.integers(1, 12))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    side = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    channels = draw(st.sampled_from([1, 2, 3, 3, 4, 13]))
    shape = draw(st.sampled_from([(n, *side), (n, *side, channels), (n, channels, *side), (n, side[0]), (n,), ()]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([0, 1, 2, 255, 4095, 65535, 1e9]))
    values = generator.random(shape) * top - draw(st.sampled_from([0, 0, 0, 0.5]))
    if dtype.kind != "f":
        values = np.floor(values)
    elif draw(st.integers(0, 4)) == 0 and values.size:
        values.flat[0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with np.errstate(all="ignore"):
        x = values.astype("i8").astype(dtype) if dtype.kind in "iuM" else values.astype(dtype)
    x = np.asarray(x)
    classes = draw(st.integers(1, 5))
    y = generator.integers(0, classes, draw(st.sampled_from([n, n, n, n + 1])))
    y = {
        "plain": lambda: y,
        "from 1": lambda: y + 1,
        "ids": lambda: y * 10**6 + 17,
        "one-hot": lambda: np.eye(classes)[y],
        "column": lambda: y[:, None],
        "texts": lambda: np.array([f"class {i}" for i in y]),
        "floats": lambda: y.astype("f4"),
        "halves": lambda: y / 2,
        "negative": lambda: y - 1,
        "objects": lambda: np.array([{}] * len(y), object),
        "numbers": lambda: generator.integers(-(2**62), 2**62, len(y)),
    }[draw(st.sampled_from(["plain", "plain", "from 1", "ids", "one-hot", "column", "texts", "floats", "halves"]
                           + ["negative", "objects", "numbers"]))]()  # fmt: skip
    given_arrays = {"x_train": x, "y_train": y, "x_test": x[:1] if x.ndim else x, "y_test": y[:1]}
    if draw(st.integers(0, 5)) == 0:
        given_arrays.pop(draw(st.sampled_from(list(given_arrays))))
    if draw(st.integers(0, 5)) == 0:
        given_arrays["class_names"] = np.array([f"class {i}" for i in range(draw(st.integers(0, 6)))])
    return given_arrays


def check_arrays(given_arrays, cut):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.npz"
        np.savez(path, **given_arrays)
        if cut < 1:
            path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
        announced = 4 * sum(np.asarray(value).nbytes for value in given_arrays.values())
        for source, names in ((path, [path]), (given_arrays, ["the dictionary of arrays"])):
            try:
                with bounded(announced):
                    data = load_data(source)
            except ValueError as error:
                one_line(error, *names)
                continue
            x, y = np.asarray(given_arrays["x_test"]), np.asarray(given_arrays["y_test"])
            assert len(data.test_images) == len(data.test_labels) == len(y)
            assert 0 <= data.test_labels.min() <= data.test_labels.max() < data.num_classes <= 6
            if x.dtype == np.uint8:
                assert sorted(data.test_images.flatten().tolist()) == sorted(x.flatten().tolist())
            if y.dtype.kind == "U":
                assert [data.class_names[label] for label in data.test_labels] == y.tolist()


CHECKS = {
    "an image": (check_reading, [image_files()]),
    "a folder": (
        check_folder,
        [st.lists(image_files(), min_size=4, max_size=6), st.sampled_from([None, (8, 8), (5, 9)]), st.booleans()],
    ),
    "arrays": (check_arrays, [arrays(), st.sampled_from([1, 1, 1, 0.9, 0.5, 0.1, 0])]),
    "predict": (check_predict, [st.lists(image_files(), min_size=1, max_size=4)]),
}


def run(kind, count):
    check, strategies = CHECKS[kind]
    settings(EXAMPLES, max_examples=count)(given(*strategies)(check))()


@pytest.mark.parametrize(("kind", "count"), [("an image", 40), ("a folder", 10), ("arrays", 40), ("predict", 10)])
def test_a_hundred(kind, count):
    run(kind, count)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("an image", 400), ("a folder", 150), ("arrays", 350), ("predict", 100)])
def test_a_thousand(kind, count):
    run(kind, count)
