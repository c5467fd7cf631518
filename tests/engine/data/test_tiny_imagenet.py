"""Tiny-ImageNet, on a stand-in of two classes."""

import hashlib
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tinynets.engine import load_data
from tinynets.engine.data import tiny_imagenet

WNIDS = ("n02000000", "n01000000", "n03000000")
WORDS = "n01000000\tcrane, heron\nn02000000\tcrane, hoist\nn03000000\tgoldfish, Carassius auratus\nn04\tnone\n"


@pytest.fixture
def archive(tmp_path):
    """The zip that the official address would give."""
    path = tmp_path / "official.zip"
    with zipfile.ZipFile(path, "w") as file:

        def add(name, color, mode="RGB"):
            Image.new(mode, (64, 64), color).save(tmp_path / "one.jpg")
            file.write(tmp_path / "one.jpg", f"tiny-imagenet-200/{name}")

        for place, wnid in enumerate(WNIDS):
            for index in range(3):
                add(f"train/{wnid}/images/{wnid}_{index}.JPEG", (80 * place, 10 * index, 0))
            file.writestr(f"tiny-imagenet-200/train/{wnid}/{wnid}_boxes.txt", "")
        add("val/images/val_0.JPEG", (160, 0, 0))
        add("val/images/val_1.JPEG", 200, "L")
        add("test/images/test_0.JPEG", "red")
        file.writestr(
            "tiny-imagenet-200/val/val_annotations.txt", "val_1.JPEG\tn01000000\t0\nval_0.JPEG\tn03000000\t0\n"
        )
        file.writestr("tiny-imagenet-200/wnids.txt", "\n".join(WNIDS))
        file.writestr("tiny-imagenet-200/words.txt", WORDS)
    return path


@pytest.fixture
def served(archive, monkeypatch):
    """How often it was downloaded."""
    calls = []

    def download(url, root, filename, md5):
        assert md5 == "90528d7ca1a48142e341f4ef8d21d0de"
        calls.append(url)
        with open(f"{root}/{filename}", "wb") as file:
            file.write(archive.read_bytes())

    monkeypatch.setattr(tiny_imagenet, "download_url", download)
    return calls


def test_it_is_downloaded_once_and_read_by_wordnet_id(tmp_path, served):
    root = tmp_path / "data"
    root.mkdir()
    for _ in range(2):
        data = load_data("tiny_imagenet", root)
    assert served == ["http://cs231n.stanford.edu/tiny-imagenet-200.zip"]
    assert sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) == ["tiny-imagenet-200"]
    assert not (root / "tiny-imagenet-200/test").exists()
    assert (data.name, data.class_names) == ("tiny_imagenet", ("heron", "hoist", "goldfish"))
    assert (data.train_images.shape, data.train_images.dtype) == ((9, 3, 64, 64), torch.uint8)
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test_labels.tolist() == [2, 0]
    assert data.test_images[:, :, 5, 5].numpy() == pytest.approx(np.array([[160, 0, 0], [200] * 3]), abs=2)
    assert (data.val_images, data.files["test"]) == (None, ("val/images/val_0.JPEG", "val/images/val_1.JPEG"))
    assert load_data(**data.source).digest() == data.digest()
    assert load_data("tiny_imagenet", root, (32, 32)).img_size == (32, 32)


def test_the_archive_is_checked(tmp_path, archive, monkeypatch):
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(archive.read_bytes())
    monkeypatch.setattr(tiny_imagenet, "URL", archive.as_uri() + ".gone")
    with pytest.raises(
        RuntimeError, match=r"tiny_imagenet is not in .* could not be downloaded \(.*\): connect to the"
    ):
        load_data("tiny_imagenet", tmp_path)
    assert not (tmp_path / "tiny-imagenet-200").exists()
    monkeypatch.setattr(tiny_imagenet, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert len(load_data("tiny_imagenet", tmp_path).train_labels) == 9


def test_a_truncated_archive_leaves_no_files(tmp_path, archive, served):
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match=r"could not be downloaded \(File is not a zip file\)"):
        load_data("tiny_imagenet", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "200" in path.name] == ["tiny-imagenet-200.zip"]


@pytest.mark.parametrize("gone", ["val/val_annotations.txt", "train/n01000000/images"])
def test_an_incomplete_folder_is_refused(tmp_path, served, gone):
    load_data("tiny_imagenet", tmp_path)
    path = tmp_path / "tiny-imagenet-200" / gone
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"remove the folder.* to download it again"):
        load_data("tiny_imagenet", tmp_path)


def test_the_real_data_set(real_data):
    if not (real_data / "tiny-imagenet-200").is_dir():
        pytest.skip("tiny-imagenet-200 is not there")
    data = load_data("tiny_imagenet", real_data)
    assert (data.train_images.shape, data.test_images.shape) == ((100000, 3, 64, 64), (10000, 3, 64, 64))
    assert len(set(data.class_names)) == 200
    assert data.test_labels.bincount().tolist() == [50] * 200
