"""One file to pixels: upright, first frame, resized, and one-line errors."""

import os
import warnings

import numpy as np
import pytest
import timm.data
import torch
from PIL import Image, ImageOps

import tinynets
from tinynets.engine import read_image, read_images
from tinynets.engine.data import memory, reading


def noise(height, width, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation(tmp_path, turn, kind):
    image = Image.fromarray(np.linspace(0, 255, 24 * 16).reshape(24, 16).astype(np.uint8))
    exif = image.getexif()
    exif[0x0112] = turn
    path = tmp_path / f"x.{kind}"
    image.convert("RGB").save(path, exif=exif, **({"lossless": True} if kind == "webp" else {}))
    with Image.open(path) as opened:
        shown = np.array(ImageOps.exif_transpose(opened).convert("L"))
    got = read_image(path, "L")[0]
    assert got.tolist() == shown.tolist()
    assert reading.read_header(path).size == got.shape
    small = read_image(path, "L", (6, 4))[0]
    expected = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(shown)[None].float(), (6, 4))[0]
    if shown.shape == (24, 16):
        assert (small - expected).abs().max() < 12
    assert small.shape == (6, 4)


def test_broken_exif_does_not_matter(tmp_path):
    noise(8, 8).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0")
    assert read_images([tmp_path / "x.jpg"], "RGB", (8, 8))[1] == {}


@pytest.mark.parametrize("kind", ["gif", "tif", "webp", "png", "avif"])
def test_the_first_frame_counts(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), color) for color in ("#c81414", "#14c814", "#1414c8")]
    path = tmp_path / f"x.{kind}"
    try:
        frames[0].save(path, save_all=True, append_images=frames[1:])
    except (KeyError, OSError):
        pytest.skip(f"Pillow was built without {kind}")
    assert read_image(path, "RGB").flatten(1).float().mean(1).tolist() == pytest.approx([200, 20, 20], abs=4)


def test_resizing_keeps_proportions_and_cuts_the_longer_side(tmp_path):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200  # the centered square
    Image.fromarray(pixels).save(tmp_path / "x.png")
    resized = Image.fromarray(pixels).resize((30, 10), Image.Resampling.BILINEAR).convert("L")
    cut = torch.from_numpy(np.array(resized)[:, 10:20])
    assert torch.equal(read_image(tmp_path / "x.png", "L", (10, 10))[0], cut)
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    assert torch.equal(read_image(tmp_path / "tall.png", "L", (10, 10))[0], cut.T)
    assert read_image(tmp_path / "x.png", "L", (20, 60)).unique().tolist() == [0, 200]
    wide = read_image(tmp_path / "x.png", "L", (10, 30))[0]
    assert wide[5].tolist()[1:9] + wide[5].tolist()[11:19] == [0] * 8 + [200] * 8


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("size", [(37, 500), (500, 333), (32, 32), (20, 30), (1200, 1600), (33, 31)])
def test_the_pixels_are_those_of_timms_transform(tmp_path, kind, size):
    model = tinynets.create_model("c1c2c3c4o_cifar10")
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(*size).save(tmp_path / f"x.{kind}", exif=exif)
    photo = ImageOps.exif_transpose(Image.open(tmp_path / f"x.{kind}")).convert("RGB")
    pixels = read_image(tmp_path / f"x.{kind}", "RGB", (32, 32))
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    assert torch.equal((pixels / 255 - mean) / std, transform(photo))


def test_third_party_models_use_their_own_transform(tmp_path):
    noise(60, 80).save(tmp_path / "x.png")
    config = {"crop_pct": 0.5, "crop_mode": "squash", "interpolation": "bicubic"}
    transform = timm.data.create_transform((3, 20, 24), mean=(0.0,) * 3, std=(1.0,) * 3, **config)
    pixels = read_image(tmp_path / "x.png", "RGB", (20, 24), config=config)
    assert torch.equal(pixels / 255, transform(Image.open(tmp_path / "x.png")))


DAMAGE = {
    "cut.png": lambda p: noise(40, 40).save(p) or p.write_bytes(p.read_bytes()[:900]),
    "cut.jpg": lambda p: noise(40, 40).save(p) or p.write_bytes(p.read_bytes()[:900]),
    "cut.gif": lambda p: noise(40, 40).save(p) or p.write_bytes(p.read_bytes()[:1200]),
    "cut.tif": lambda p: noise(40, 40).save(p) or p.write_bytes(p.read_bytes()[:-900]),
    "text.png": lambda p: p.write_text("no image"),
    "empty.jpg": lambda p: p.write_bytes(b""),
    "folder.png": lambda p: p.mkdir(),
    "pipe.png": lambda p: os.mkfifo(p),
    "bomb.png": lambda p: Image.new("1", (20000, 20000)).save(p),
    "vector.eps": lambda p: noise(8, 8).save(p) or p.write_bytes(p.read_bytes()[:200]),
    "sci.h5": lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_errors_are_one_line_with_the_file_name(tmp_path, name):
    DAMAGE[name](tmp_path / name)
    for size in (None, (8, 8)):
        with pytest.raises(ValueError, match=name) as caught:
            read_image(tmp_path / name, "RGB", size)
        assert len(str(caught.value).splitlines()) == 1
        assert str(caught.value).count(name) == 1


def test_missing_files(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"no image at .*none\.png"):
        read_image(tmp_path / "none.png", "L")
    for name in ("a\nb.png", "x" * 300, "nul\0.png"):
        with pytest.raises((ValueError, OSError)) as caught:
            read_image(tmp_path / name, "L")
        assert len(str(caught.value).splitlines()) == 1
        assert name[-5:] in str(caught.value).replace("\\x00", "\0")
    noise(4, 4).save(tmp_path / "secret.png")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ValueError, match=r"secret\.png cannot be read \(Permission denied\)"):
        read_image(tmp_path / "secret.png", "L")


def test_invalid_modes_and_sizes(tmp_path):
    noise(4, 4).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="unknown mode 'CMYK'"):
        read_image(tmp_path / "x.png", "CMYK")
    for size in ((0, 4), (4, -1), (4,), (4.0, 4)):
        with pytest.raises(ValueError, match="img_size must be a height and a width of at least 1"):
            read_image(tmp_path / "x.png", "RGB", size)


def test_large_images_are_read_without_a_warning(tmp_path, monkeypatch):
    noise(40, 40).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # a warning to Pillow, an error from 2000
    filters = list(warnings.filters)
    images, failed = read_images([tmp_path / "x.png"], "RGB", (40, 40))
    assert (images.shape, failed) == ((1, 3, 40, 40), {})
    assert list(warnings.filters) == filters
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ValueError, match=r"x\.png .*decompression bomb"):
        read_image(tmp_path / "x.png", "RGB")


def test_a_photo_too_large_to_decode_is_refused(tmp_path, monkeypatch):
    Image.new("RGB", (20, 10)).save(tmp_path / "large.png")
    monkeypatch.setattr(reading, "_LARGE", 199)
    monkeypatch.setattr(memory, "available_memory", lambda: 4799)
    with pytest.raises(ValueError, match=r"large\.png.*would take .* of memory, .*: downscale it"):
        read_image(tmp_path / "large.png", "RGB")
    monkeypatch.setattr(memory, "available_memory", lambda: 4800)
    assert read_image(tmp_path / "large.png", "RGB").shape == (3, 10, 20)
