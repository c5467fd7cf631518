import numpy as np
import pytest
import torch
from PIL import Image

from tinynets.engine import load_data
from tinynets.engine.data import statistics


def write_folder(root, parts=("train", "test"), mode="RGB", size=(6, 5), classes=("ant", "bee")):
    generator = np.random.default_rng(0)
    for part in parts:
        for label in classes:
            (root / part / label).mkdir(parents=True)
            for index in range(3):
                shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
                image = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
                image.save(root / part / label / f"{index}.png")
    return root


def test_a_folder_of_images(tmp_path):
    data = load_data(write_folder(tmp_path / "insects"))
    assert (data.name, data.class_names) == ("insects", ("ant", "bee"))
    assert data.train_images.shape == data.test_images.shape == (6, 3, 5, 6)
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    first = torch.from_numpy(np.array(Image.open(tmp_path / "insects/train/ant/0.png"))).permute(2, 0, 1)
    assert torch.equal(data.train_images[0], first)
    pixels = data.train_images.double().transpose(0, 1).flatten(1) / 255
    assert data.mean == pytest.approx(pixels.mean(1).tolist())
    assert data.std == pytest.approx(pixels.std(1, correction=0).tolist())
    assert data.val_images is None


def test_gray_folders_have_one_channel_and_sizes_are_made_equal(tmp_path):
    write_folder(tmp_path, mode="L")
    Image.new("L", (9, 9)).save(tmp_path / "train/ant/9.png")
    with pytest.raises(ValueError, match=r"9\.png is 9x9, others are 5x6: .*--img-size"):
        load_data(tmp_path)
    assert load_data(tmp_path, img_size=(8, 7)).train_images.shape == (7, 1, 8, 7)


def test_val_is_the_test_set_unless_there_is_one(tmp_path):
    two = load_data(write_folder(tmp_path / "two", ("train", "val")))
    assert len(two.test_labels) == 6
    assert two.val_images is None
    three = load_data(write_folder(tmp_path / "three", ("train", "val", "test")))
    for part in ("val", "test"):
        first = torch.from_numpy(np.array(Image.open(tmp_path / f"three/{part}/ant/0.png"))).permute(2, 0, 1)
        assert torch.equal(three.split(part)[0][0], first)
    with pytest.raises(ValueError, match="unknown split 'val'"):
        two.split("val")


def test_folders_that_are_no_data_set(tmp_path):
    with pytest.raises(ValueError, match=r"must have a folder train/ and one of test/ and val/"):
        load_data(write_folder(tmp_path / "a", ("train",)))
    write_folder(tmp_path / "b", ("train",))
    write_folder(tmp_path / "b", ("test",), classes=("ant", "wasp"))
    with pytest.raises(ValueError, match="must have the same classes, only one has bee"):
        load_data(tmp_path / "b")
    write_folder(tmp_path / "c")
    (tmp_path / "c/train/ant/0.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"0\.png is not a readable image") as caught:
        load_data(tmp_path / "c")
    assert "\n" not in str(caught.value)
    (tmp_path / "d/train/ant").mkdir(parents=True)
    (tmp_path / "d/test/ant").mkdir(parents=True)
    with pytest.raises(ValueError, match="ant") as caught:
        load_data(tmp_path / "d")
    assert "\n" not in str(caught.value)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((6, 5, 4))}, r"x_train must be uint8 .*, got float64 \(6, 5, 4\)"),
        ({"y_test": np.arange(5)}, r"y_test must be 6 integers"),
        ({"y_test": np.arange(6) * 0.5}, r"y_test must be 6 integers"),
        ({"y_train": np.arange(6) - 1}, r"y_train must start at 0"),
        ({"x_test": np.zeros((6, 4, 4, 3), np.uint8)}, "images of one size"),
        ({"class_names": np.array(["a"])}, "1 class_names for 3 classes"),
        ({"class_names": np.array([{"a": 1}], dtype=object)}, "not a readable .npz of plain arrays"),
    ],
)
def test_arrays_that_are_no_data_set(tmp_path, changes, message):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays(**changes))
    with pytest.raises(ValueError, match=message):
        load_data(path)


def test_arrays_that_are_missing(tmp_path):
    path = tmp_path / "x.npz"
    for given, message in (
        ({"x": np.zeros(3)}, "must hold x_train, y_train, x_test, y_test, it holds x"),
        ({"x_train": np.zeros((3, 2, 2), np.uint8)}, "holds x_train but not y_train"),
        ({"x_train": np.zeros((3, 2, 2), np.uint8), "y_train": np.arange(3)}, "must hold x_test and y_test too"),
    ):
        np.savez(path, **given)
        with pytest.raises(ValueError, match=message):
            load_data(path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"not a readable \.npz"):
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
