"""Arrays as data sets, and what is counted of any data set."""

import numpy as np
import pytest
import torch

from tinynets.engine import load_data
from tinynets.engine.data import memory, statistics


def arrays(n=6, **changes):
    generator = np.random.default_rng(0)
    x = {part: generator.integers(0, 256, (n, 5, 4, 3), dtype=np.uint8) for part in ("train", "test")}
    y = {part: np.arange(n) % 3 for part in ("train", "test")}
    return {"x_train": x["train"], "y_train": y["train"], "x_test": x["test"], "y_test": y["test"]} | changes


def test_arrays(tmp_path):
    path = tmp_path / "beans.npz"
    given = arrays(class_names=np.array(["kidney", "lima", "navy"]))
    np.savez(path, **given)
    data = load_data(path)
    assert (data.name, data.class_names) == ("beans", ("kidney", "lima", "navy"))
    assert torch.equal(data.train_images, torch.from_numpy(given["x_train"]).permute(0, 3, 1, 2))
    assert data.test_labels.dtype == torch.int64
    assert data.test_labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_arrays_named_as_medmnist_names_them(tmp_path):
    path = tmp_path / "medical.npz"
    given = {}
    for part in ("train", "val", "test"):
        given[f"{part}_images"] = np.zeros((4, 5, 5), np.uint8)
        given[f"{part}_labels"] = np.array([[0], [1], [1], [0]], np.uint8)
    np.savez(path, **given)
    data = load_data(path)
    assert data.train_images.shape == (4, 1, 5, 5)
    assert data.val_labels.tolist() == [0, 1, 1, 0]
    assert data.class_names == ("0", "1")
    assert data.std == (1.0,)  # of images without any contrast


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
IMAGES[0, 0, 0], IMAGES[1, 0, 0] = 255, 0


def alike(x, images=IMAGES):
    """Whether x, loaded as images of both splits, equals the expected images."""
    y = np.arange(6) % 3
    data = load_data({"x_train": x, "y_train": y, "x_test": x, "y_test": y})
    expected = torch.from_numpy(images).permute(0, 3, 1, 2)
    return torch.equal(data.train_images, expected) and torch.equal(data.test_images, expected)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x,
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: x.astype(np.float64) / 255,
        lambda x: x.astype(np.float32) / np.float32(255),
        lambda x: (x / 255 * 1.0005).clip(0, 1.0005),
        lambda x: np.asfortranarray(x),
        lambda x: x[::-1][::-1],
        lambda x: torch.from_numpy(x),
    ],
)
def test_layouts_and_types_of_images(convert):
    assert alike(convert(IMAGES))


def test_floats_are_rounded_to_the_nearest_byte():
    x = np.full((4, 8, 8), 0.1, np.float32)
    x[0, 0, 0] = 1
    y = np.array([0, 1, 0, 1])
    data = load_data({"x_train": x, "y_train": y, "x_test": x, "y_test": y})
    assert data.train_images.unique().tolist() == [26, 255]  # 0.1 * 255 = 25.5


def test_half_precision_and_other_types_in_other_splits():
    x = IMAGES.astype(np.float16) / 255
    data = load_data(arrays(x_train=x, x_test=x))
    assert (data.train_images.int() - torch.from_numpy(IMAGES).permute(0, 3, 1, 2).int()).abs().max() <= 1
    assert load_data(arrays(x_train=IMAGES[..., 0], x_test=IMAGES[..., 0])).train_images.shape == (6, 1, 5, 4)
    assert load_data(arrays(x_train=IMAGES / 255)).train_images.max() == 255


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((6, 32, 32, 3), (3, 32, 32)),
        ((6, 3, 32, 32), (3, 32, 32)),
        ((6, 1, 28, 28), (1, 28, 28)),
        ((6, 28, 28, 1), (1, 28, 28)),
        ((6, 3, 2, 2), (3, 2, 2)),
        ((6, 2, 2, 3), (3, 2, 2)),
        ((6, 13, 64, 64), None),
        ((6, 64, 64, 4), None),
        ((6, 3, 32, 3), None),
        ((6, 32, 32, 32), None),
        ((6, 1, 28, 3), None),
        ((6, 784), None),
        ((6, 2, 3, 4, 5), None),
        ((0, 8, 8, 3), None),
        ((6, 0, 8, 3), None),
    ],
)
def test_channel_axis(shape, wanted):
    x = np.zeros(shape, np.uint8)
    y = np.arange(len(x)) % 3
    given = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    if wanted:
        assert load_data(given).train_images.shape[1:] == wanted
        return
    with pytest.raises(ValueError, match=r"arrays: x_train .*\(") as caught:
        load_data(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x_train": IMAGES / 255 - 0.5},
            r"x_train has values in -0\.5\.\.0\.5, floats must be in 0\.\.1: undo the normalization",
        ),
        ({"x_train": np.full((6, 5, 4), np.nan)}, r"x_train has values in nan\.\.nan, floats must be in"),
        ({"x_train": np.full((6, 5, 4), np.inf)}, r"x_train has values in inf\.\.inf"),
        ({"x_train": IMAGES.astype(float)}, r"x_train has values in 0\.\.255, floats must be in 0\.\.1"),
        ({"x_train": IMAGES.astype(np.int64)}, "x_train must be uint8 or floats in .*, got int64"),
        ({"x_train": IMAGES > 99}, "x_train must be uint8 or floats in .*, got bool"),
        ({"y_test": np.arange(5)}, "x_test has 6 images, but y_test has 5 labels"),
        ({"y_test": np.arange(6) * 0.5}, "y_test must be integers or strings"),
        ({"y_train": np.arange(6) - 1}, r"y_train has values in -1\.\.4: labels must be non-negative"),
        ({"x_test": np.zeros((6, 4, 4, 3), np.uint8)}, "same image size"),
        ({"class_names": np.array(["a"])}, "label '1' is neither one of the 1 class_names nor an index"),
        ({"class_names": np.array("a")}, "class_names must be a list of strings"),
        ({"class_names": np.array([{"a": 1}], dtype=object)}, "it is not readable: damaged, or pickled"),
        ({"y_train": np.array([{}] * 6, dtype=object)}, "it is not readable: damaged, or pickled"),
        ({"X_Train": IMAGES}, "it contains both x_train and X_Train|it contains both X_Train and x_train"),
        ({"y_val": np.arange(6)}, "y_val has no images"),
    ],
)
def test_invalid_arrays(tmp_path, changes, message):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays(**changes))
    with pytest.raises(ValueError, match=message) as caught:
        load_data(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).count("x.npz") == 1
    assert "\n" not in str(caught.value)


def test_missing_arrays(tmp_path):
    path = tmp_path / "x.npz"
    for given, message in (
        ({"x": np.zeros(3)}, "must contain x_train, y_train, x_test, y_test, got x"),
        ({"x_train": np.zeros((3, 2, 2), np.uint8)}, "x_train has no labels"),
        (
            {"x_train": np.zeros((3, 2, 2), np.uint8), "y_train": np.arange(3)},
            "must contain x_train, y_train, x_test, y_test",
        ),
    ):
        np.savez(path, **given)
        with pytest.raises(ValueError, match=message):
            load_data(path)
    for content in (b"PK", b"", b"no arrays", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"x\.npz: it is not a readable \.npz"):
            load_data(path)


def test_other_spellings_and_arrays_that_are_not_used():
    given = {key.upper(): value for key, value in arrays().items()} | {"meta": np.zeros(3)}
    given["x_val"], given["y_val"] = given["X_TEST"], given["Y_TEST"]
    data = load_data(given)
    assert len(data.split("val")[1]) == 6
    assert data.notes == ("these arrays are not used: meta",)


def test_test_arrays_alone_can_be_evaluated_on():
    data = load_data({key: value for key, value in arrays().items() if "test" in key})
    assert (len(data.test_labels), len(data.train_labels), data.in_chans) == (6, 0, 3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files(tmp_path, save, share):
    path = tmp_path / "x.npz"
    save(path, **arrays(600))
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"x\.npz: it is not a readable"):
        load_data(path)
    middle = int(len(whole) * share)
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"x\.npz.* is not readable") as caught:
        load_data(path)
    assert "\n" not in str(caught.value)


def test_memory_is_checked_before_reading(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays())
    monkeypatch.setattr(memory, "available_memory", lambda: 10**3)
    with pytest.raises(ValueError, match=r"x\.npz: its images would take .* of memory, but only .* are available"):
        load_data(path)


def test_statistics_are_exact():
    images = torch.randint(0, 256, (50, 2, 7, 9), dtype=torch.uint8)
    mean, std = statistics(images)
    pixels = images.double().transpose(0, 1).flatten(1) / 255
    assert mean == pytest.approx(pixels.mean(1).tolist(), rel=1e-12)
    assert std == pytest.approx(pixels.std(1, correction=0).tolist(), rel=1e-9)


def test_the_digest_sees_every_pixel_and_label(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())
    np.savez(tmp_path / "b.npz", **arrays())
    first, same = load_data(tmp_path / "a.npz"), load_data(tmp_path / "b.npz")
    assert first.digest() == same.digest()
    same.test_images[3, 1, 2, 2] ^= 1
    assert first.digest() != same.digest()
    again = load_data(tmp_path / "b.npz")
    again.train_labels[0] = 1
    assert first.digest() != again.digest()
