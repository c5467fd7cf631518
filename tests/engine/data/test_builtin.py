import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision

import tinynets
from tinynets._statistics import CIFAR10
from tinynets.engine import list_data, load_data
from tinynets.engine.data import builtin, split_validation


def test_digits():
    digits = load_data("digits")
    assert digits.train_images.shape == (1438, 1, 8, 8)
    assert digits.test_images.shape == (359, 1, 8, 8)
    assert digits.train_images.dtype == torch.uint8
    assert digits.train_images.max() == 255
    assert (digits.num_classes, digits.in_chans, digits.img_size) == (10, 1, (8, 8))
    scaled = digits.train_images.float() / 255
    assert (scaled.mean() - digits.mean[0]).abs() < 1e-6
    assert torch.equal(load_data("digits").test_images, digits.test_images)
    seen = {image.numpy().tobytes() for image in digits.train_images}
    assert not any(image.numpy().tobytes() in seen for image in digits.test_images)
    assert digits.test_labels.bincount().tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(RuntimeError, match=r"pip install 'tinynets\[demo\]'"):
        load_data("digits")


def test_unknown_names_and_missing_directories(tmp_path):
    assert list_data() == ["cifar10", "cifar100", "digits", "mnist", "tiny_imagenet"]
    with pytest.raises(ValueError, match=r"'cifar': there is no folder or file .*cifar, and .* cifar10, cifar100,"):
        load_data("cifar")
    with pytest.raises(
        FileNotFoundError, match=r"data directory .*nowhere does not exist: .* to download the data set into it"
    ):
        load_data("mnist", tmp_path / "nowhere")


def test_a_folder_of_images_as_the_data_directory_is_reported(tmp_path, caplog, monkeypatch):
    monkeypatch.setitem(builtin.DOWNLOADED, "mnist", builtin.LOADERS["digits"])
    monkeypatch.setitem(builtin.LOADERS, "mnist", builtin.LOADERS["digits"])
    load_data("mnist", tmp_path)
    assert not caplog.messages
    (tmp_path / "train").mkdir()
    load_data("mnist", tmp_path)
    (message,) = caplog.messages
    assert message.startswith(f"loading the built-in mnist; for the images in {tmp_path} use --data ")


def test_split_is_stratified_and_whole():
    labels = torch.tensor([0] * 40 + [1] * 20 + [2] * 8)[torch.randperm(68)]
    train, val = split_validation(labels, 0.2, torch.Generator().manual_seed(0))
    assert labels[val].bincount().tolist() == [8, 4, 2]  # 0.2 * 8 = 1.6 rounds to 2
    assert torch.equal(torch.cat([train, val]).sort().values, torch.arange(68))
    again = split_validation(labels, 0.2, torch.Generator().manual_seed(0))[1]
    other = split_validation(labels, 0.2, torch.Generator().manual_seed(1))[1]
    assert torch.equal(val, again)
    assert not torch.equal(val, other)
    everything, nothing = split_validation(labels, 0.0, torch.Generator())
    assert len(everything) == 68
    assert len(nothing) == 0


class StandIn(torchvision.datasets.CIFAR10):
    """CIFAR-10's reader over five tiny batches that `download` writes."""

    downloads = 0

    def _check_integrity(self):
        import pathlib

        return (pathlib.Path(self.root) / self.base_folder / "test_batch").exists()

    def download(self):
        import pathlib

        type(self).downloads += 1
        folder = pathlib.Path(self.root) / self.base_folder
        folder.mkdir(parents=True)
        for i, (name, _) in enumerate(self.train_list + self.test_list):
            pixels = np.full((4, 3072), i, dtype=np.uint8)
            pixels[:, :1024] = np.arange(32).repeat(32)  # the red plane comes first, row by row
            (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [0, 1, 2, 3]}))

    def _load_meta(self):
        self.classes = [f"class {i}" for i in range(10)]


def test_torchvision_sets_are_downloaded_once_and_read_in_the_right_order(tmp_path, monkeypatch):
    load = builtin._load_torchvision("cifar10", StandIn, CIFAR10)
    monkeypatch.setitem(builtin.LOADERS, "cifar10", load)
    for _ in range(2):
        data = load_data("cifar10", tmp_path)
    assert StandIn.downloads == 1
    assert data.train_images.shape == (20, 3, 32, 32)
    assert data.test_images.shape == (4, 3, 32, 32)
    assert torch.equal(data.test_images[0, 0, :, 7], torch.arange(32, dtype=torch.uint8))
    assert (data.test_images[:, 1:] == 5).all()
    assert data.class_names[3] == "class 3"


@pytest.mark.parametrize(
    ("name", "model"), [("cifar10", "c1c2c3c4o_cifar10"), ("cifar100", "egrr_cifar100"), ("mnist", "simplecnn_mnist")]
)
def test_a_set_has_the_statistics_of_the_model_named_after_it(name, model, tmp_path, monkeypatch):
    channels = tinynets.create_model(model).in_chans
    read = SimpleNamespace(data=np.zeros((2, 4, 4, channels), np.uint8), targets=[0, 1], classes=["a", "b"])
    monkeypatch.setattr(builtin, "_open_or_download", lambda *args: read)
    data = load_data(name, tmp_path)
    assert data.img_size == (4, 4)
    cfg = tinynets.create_model(model).pretrained_cfg
    assert (data.mean, data.std) == (cfg["mean"], cfg["std"])


def test_a_failed_download_is_reported(tmp_path, monkeypatch):
    def refuse(self):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets.CIFAR100, "download", refuse)
    with pytest.raises(RuntimeError, match=r"cifar100 is not in .* could not be downloaded \(no route to host\)"):
        load_data("cifar100", tmp_path)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("cifar10", (50000, 3, 32, 32), 10), ("cifar100", (50000, 3, 32, 32), 100), ("mnist", (60000, 1, 28, 28), 10)],
)
def test_the_real_data_sets(name, shape, classes, real_data):
    data = load_data(name, real_data)
    assert data.train_images.shape == shape
    assert data.test_images.shape == (10000, *shape[1:])
    assert data.num_classes == classes == len(data.test_labels.unique())
    pixels = data.train_images.transpose(0, 1).flatten(1).double() / 255
    assert pixels.mean(1).tolist() == pytest.approx(data.mean, abs=2e-6)
    assert pixels.std(1, correction=0).tolist() == pytest.approx(data.std, abs=2e-6)


def test_another_size_is_made_and_found_again(tmp_path):
    data = load_data("digits", img_size=(12, 10))
    assert data.img_size == (12, 10)
    assert data.test_images.dtype == torch.uint8
    again = load_data(**data.source)
    assert again.digest() == data.digest()
    x, y = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    arrays = load_data(tmp_path / "d.npz", img_size=(16, 16))
    assert arrays.img_size == (16, 16)
    assert load_data(**arrays.source).digest() == arrays.digest()
