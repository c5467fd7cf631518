"""Folders of images as data sets."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tinynets.engine import Recipe, load_data, train
from tinynets.engine.data import memory


def write_folder(root, parts=("train", "test"), mode="RGB", size=(6, 5), classes=("ant", "bee")):
    generator = np.random.default_rng(list("/".join(parts).encode()))
    for part in parts:
        for label in classes:
            (root / part / label).mkdir(parents=True)
            for index in range(3):
                shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
                image = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
                image.save(root / part / label / f"{index}.png")
    return root


def write_classes(root, **counts):
    """Class folders without parts."""
    for label, count in counts.items():
        (root / label).mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(list(label.encode()))
        for index in range(count):
            pixels = generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{index}.png")
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
    with pytest.raises(ValueError, match=r"has images of different sizes: choose one size for all with --img-size"):
        load_data(tmp_path)
    assert load_data(tmp_path, img_size=(8, 7)).train_images.shape == (7, 1, 8, 7)
    data = load_data(tmp_path, default_size=(8, 7), in_chans=3)
    assert data.train_images.shape == (7, 3, 8, 7)
    assert data.notes == ("images of different sizes are cropped and resized to 8x7 (--img-size for another size)",)
    with pytest.raises(ValueError, match="image files have 1 or 3 channels, the model expects 4"):
        load_data(tmp_path, img_size=(8, 8), in_chans=4)


def test_one_size_is_kept_where_it_is_small(tmp_path):
    write_folder(tmp_path / "small", size=(100, 90))
    assert load_data(tmp_path / "small", default_size=(32, 32)).img_size == (90, 100)
    write_folder(tmp_path / "large", size=(160, 150))
    data = load_data(tmp_path / "large", default_size=(32, 32))
    assert data.img_size == (32, 32)
    assert data.notes == ("images of 150x160 are cropped and resized to 32x32 (--img-size for another size)",)
    assert load_data(tmp_path / "large", default_size=(224, 224)).img_size == (150, 160)
    assert load_data(tmp_path / "large").img_size == (150, 160)


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


@pytest.mark.parametrize("name", ["valid", "validation"])
def test_other_names_of_val(tmp_path, name):
    data = load_data(write_folder(tmp_path, ("train", name, "test")))
    assert len(data.split("val")[1]) == 6
    write_folder(tmp_path, ("val",))
    with pytest.raises(ValueError, match=rf"has both val/ and {name}/: keep one of them"):
        load_data(tmp_path)


def test_a_folder_with_a_test_part_only(tmp_path):
    data = load_data(write_folder(tmp_path, ("test",)))
    assert data.split("test")[0].shape == (6, 3, 5, 6)
    assert (len(data.train_labels), data.in_chans, data.img_size) == (0, 3, (5, 6))
    assert len(data.digest()) == 64
    with pytest.raises(ValueError, match="unknown split 'train'"):
        data.split("train")


def test_classes_are_matched_by_name_and_missing_ones_reported(tmp_path):
    write_folder(tmp_path, ("train",), classes=("ant", "bee", "wasp"))
    write_folder(tmp_path, ("test",), classes=("bee", "fly"))
    (tmp_path / "train/empty").mkdir()
    data = load_data(tmp_path)
    assert data.class_names == ("ant", "bee", "fly", "wasp")
    assert data.test_labels.tolist() == [1, 1, 1, 2, 2, 2]
    assert data.train_labels.unique().tolist() == [0, 1, 3]
    assert data.notes == (
        "train: no images in empty",
        "train has no images of fly",
        "test has no images of ant, wasp",
    )


def test_names_of_folders_are_compared_as_they_are_read(tmp_path):
    write_folder(tmp_path, ("Train",), classes=("caf\u00e9", "th\u00e9"))
    write_folder(tmp_path, ("TEST",), classes=("cafe\u0301", "th\u00e9"))  # as macOS writes it
    data = load_data(tmp_path)
    assert data.class_names == ("caf\u00e9", "th\u00e9")
    assert data.test_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.notes == ()


def test_files_that_are_ignored(tmp_path):
    root = write_folder(tmp_path)
    (root / "train/.ipynb_checkpoints").mkdir()
    Image.new("RGB", (6, 5)).save(root / "train/.ipynb_checkpoints/0.png")
    (root / "train/ant/.hidden").mkdir()
    Image.new("RGB", (6, 5)).save(root / "train/ant/.hidden/0.png")
    (root / "train/ant/._0.png").write_bytes(b"resource fork")
    (root / "train/ant/notes.txt").write_text("")
    (root / "train/labels.csv").write_text("")
    (root / "train/ant/deep/er").mkdir(parents=True)
    Image.new("RGB", (6, 5), "red").save(root / "train/ant/deep/er/UPPER.JPG")
    os.symlink(root / "train/bee", root / "train/linked")
    os.symlink(root / "train", root / "train/ant/deep/loop")
    data = load_data(root)
    assert data.class_names == ("ant", "bee")
    assert data.train_labels.tolist() == [0] * 4 + [1] * 3
    assert data.train_images[3].flatten(1).float().mean(1).tolist() == pytest.approx([255, 0, 0], abs=3)
    assert data.notes == (
        "train: ignored because of their extensions: 1 .csv, 1 .txt",
        "train: 1 links to images or folders that are already listed are ignored",
        "train: no images in linked",
    )


def test_all_bad_files_are_listed_at_once_or_left_out(tmp_path):
    root = write_folder(tmp_path)
    good = load_data(root)
    for index in range(11):
        (root / f"train/bee/bad{index:02}.png").write_bytes(b"no image")
    cut = root / "test/ant/cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(
        ValueError, match=r"12 of 24 images in .* cannot be used: .*bad00\.png is not .*bad09\.png"
    ) as caught:
        load_data(root)
    assert str(caught.value).endswith("and 2 more: repair them, or skip them with --skip-bad (skip_bad=True)")
    assert "bad10" not in str(caught.value)
    assert "\n" not in str(caught.value)
    data = load_data(root, skip_bad=True)
    assert (len(data.skipped), data.skipped[-1].startswith(str(cut))) == (12, True)
    assert data.digest() == good.digest()


def test_a_split_of_bad_files_only_is_refused(tmp_path):
    root = write_folder(tmp_path)
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"test contains no readable image: .*0\.png is not a readable image"):
        load_data(root, skip_bad=True)
    for path in (root / "train").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="contains no readable image"):
        load_data(root, skip_bad=True)


def test_what_does_not_fit_into_memory_is_refused_before_reading(tmp_path, monkeypatch):
    root = write_folder(tmp_path)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**8)
    with pytest.raises(
        ValueError,
        match=r"12 images of 9000x9000 would take 2\.9 GB of memory, but only 100 MB are available: .*--img-size",
    ):
        load_data(root, img_size=(9000, 9000))
    with pytest.raises(ValueError, match="would take"):
        load_data(root, img_size=(9000, 9000), cache=False)
    assert load_data(root, img_size=(90, 90)).img_size == (90, 90)


def test_invalid_folders(tmp_path):
    with pytest.raises(ValueError, match=r"must contain a folder for every class, or train/ .*it contains train"):
        load_data(write_folder(tmp_path / "a", ("train",)))
    (tmp_path / "b/cat").mkdir(parents=True)
    (tmp_path / "b/dog").mkdir()
    with pytest.raises(ValueError, match="b contains no images in cat, dog"):
        load_data(tmp_path / "b")
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match="it is empty"):
        load_data(tmp_path / "c")
    (tmp_path / "d/train/ant").mkdir(parents=True)
    (tmp_path / "d/test/ant").mkdir(parents=True)
    (tmp_path / "d/train/ant/photo.heic").write_bytes(b"")
    with pytest.raises(ValueError, match=r"d/train contains no images in ant \(ignored .* extensions: 1 \.heic\)"):
        load_data(tmp_path / "d")
    (tmp_path / "e/train").mkdir(parents=True)
    (tmp_path / "e/test").mkdir(parents=True)
    with pytest.raises(ValueError, match="e/train contains no images, and no class folders"):
        load_data(tmp_path / "e")
    with pytest.raises(ValueError, match="background must be a color"):
        load_data(write_folder(tmp_path / "f"), background="none")


def test_class_folders_without_splits_are_split(tmp_path):
    root = write_classes(tmp_path / "insects", ant=40, bee=30)
    data = load_data(root)
    counts = {part: len(data.split(part)[1]) for part in ("train", "val", "test")}
    assert sum(counts.values()) == 70
    assert data.notes[0] == (
        f"insects has no train/ and test/: its classes are split by file name into {counts['train']} training, "
        f"{counts['val']} validation and {counts['test']} test images (seed 0; --test-size, --val-size)"
    )
    for part, names in data.files.items():
        for image, label, name in zip(*data.split(part), names, strict=True):
            assert data.class_names[label] == name.split("/")[0]
            assert torch.equal(image, torch.from_numpy(np.array(Image.open(root / name))).permute(2, 0, 1))
    again = load_data(**data.source)
    assert again.digest() == data.digest()
    assert load_data(root, seed=1).files["test"] != data.files["test"]
    large = load_data(root, test_size=0.5, val_size=0)
    assert large.val_images is None
    assert 25 <= len(large.files["test"]) <= 45
    everything = load_data(root, test_size=1)
    assert (len(everything.train_labels), len(everything.test_labels)) == (0, 70)
    assert everything.notes == ("insects has no train/ and test/: all 70 images are test images",)


def test_an_existing_split_is_reused(tmp_path):
    root = write_classes(tmp_path / "insects", ant=12, bee=12)
    data = load_data(root)
    path = tmp_path / "split.json"
    path.write_text(json.dumps(data.made_split))
    write_classes(root, cricket=3, ant=15)
    again = load_data(root, split=path)
    assert again.digest() == data.digest()
    assert again.notes[1] == "6 images are not in the run's split and are ignored"
    (root / data.files["val"][0]).unlink()
    with pytest.raises(
        ValueError, match=r"1 images of the run's split are missing from .*insects, such as .*restore them"
    ):
        load_data(root, split=path)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"split\.json is not a valid split of a run: remove it, or restore it"):
        load_data(root, split=path)


def test_small_and_doubtful_class_folders(tmp_path):
    few = load_data(write_classes(tmp_path / "few", ant=2, bee=1))
    assert [len(few.split(part)[1]) for part in ("train", "test")] == [2, 1]
    assert few.notes[1:] == ("test has no images of bee",)
    with pytest.raises(ValueError, match="has the classes Ant and ant, which differ only by case: merge them"):
        load_data(write_classes(tmp_path / "case", Ant=1, ant=1))
    vehicles = load_data(write_classes(tmp_path / "vehicles", car=3, train=3))
    assert vehicles.class_names == ("car", "train")
    parts = write_folder(tmp_path / "parts")
    with pytest.raises(
        ValueError, match=r"test_size \(--test-size\) has no effect on .*, this one has train/ and test/"
    ):
        load_data(parts, test_size=0.2)
    with pytest.raises(
        ValueError, match=r"test_size \(--test-size\) has no effect on digits: it applies to class folders"
    ):
        load_data("digits", test_size=0.2)
    with pytest.raises(ValueError, match="has only one class, 'ant'"):
        train("simplecnn_mnist", load_data(write_classes(tmp_path / "one", ant=9)), Recipe(), tmp_path / "run")


def test_every_file_counts_once_however_it_is_reached(tmp_path):
    root = write_folder(tmp_path / "pets")
    plain = load_data(root)
    os.symlink("0.png", root / "train/ant/first.png")
    os.link(root / "train/ant/1.png", root / "train/ant/hard.png")
    os.symlink(root / "train/bee", root / "train/ant/all_bees", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (6, 5)).save(tmp_path / "elsewhere/0.png")
    os.symlink(tmp_path / "elsewhere", root / "train/bee/more", target_is_directory=True)
    os.symlink(root, root / "train/bee/up", target_is_directory=True)
    data = load_data(root)
    assert data.train_labels.tolist() == [0] * 3 + [1] * 4
    assert torch.equal(data.train_images[:6], plain.train_images)
    assert data.notes == ("train: 3 links to images or folders that are already listed are ignored",)


def test_folders_that_cannot_be_listed_are_named(tmp_path, monkeypatch):
    root = write_folder(tmp_path)
    locked, real = str(root / "train/ant"), os.scandir

    def scandir(path="."):
        if os.fspath(path) == locked:
            raise PermissionError(13, "Permission denied", locked)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ValueError, match=r"the folder .*train/ant cannot be listed \(Permission denied\)"):
        load_data(root)
    data = load_data(root, skip_bad=True)
    assert len(data.train_labels) == 3
    assert len(data.skipped) == 1
    assert "train has no images of ant" in data.notes


def test_duplicate_images_are_reported(tmp_path):
    root = write_folder(tmp_path)
    shutil.copy(root / "train/ant/0.png", root / "train/bee/copy.png")
    shutil.copy(root / "train/ant/1.png", root / "test/ant/copy.png")
    Image.new("RGB", (6, 5)).save(root / "train/loose.png")
    assert load_data(root).notes == (
        "train: 1 images outside the class folders are ignored",
        "train: 1 images are in several classes (such as train/ant/0.png and train/bee/copy.png)",
        "1 images of test are also in train",
        "near-duplicates of training photos: 1 of test (such as test/ant/copy.png and train/ant/1.png); bursts and "
        "photos saved twice inflate the accuracy (all are in the run's duplicates.txt)",
    )


def test_options_without_effect_are_refused(tmp_path):
    root = write_folder(tmp_path)
    with pytest.raises(ValueError, match=r"data_dir \(--data-dir\) has no effect on .*: it applies to cifar10, cifar1"):
        load_data(root, tmp_path)
    for options in ({"background": "black"}, {"skip_bad": True}):
        with pytest.raises(ValueError, match="has no effect on digits: it applies to folders of image files"):
            load_data("digits", **options)
