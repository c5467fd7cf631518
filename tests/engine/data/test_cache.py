"""Decoded photos are cached once, and memory-mapped by all processes and later runs."""

import os
import shutil
import sys
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from tinynets.engine import load_data
from tinynets.engine.data import cache, photo_list, photos


@pytest.fixture
def insects(tmp_path):
    root = tmp_path / "insects"
    for label in ("ant", "bee"):
        (root / label).mkdir(parents=True)
        for index in range(20):
            pixels = np.random.default_rng([index, *label.encode()]).integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{index}.png")
    return root


@pytest.fixture
def decoded(monkeypatch):
    """The number of photos of every decoding."""
    calls, real = [], photos.read_blocks

    def read_blocks(paths, *args):
        calls.append(len(paths))
        return real(paths, *args)

    monkeypatch.setattr(photos, "read_blocks", read_blocks)
    return calls


def same(one, other):
    assert (one.notes, one.skipped, one.files, one.source) == (other.notes, other.skipped, other.files, other.source)
    assert (one.mean, one.std, one.class_names) == (other.mean, other.std, other.class_names)
    for part in ("train", "val", "test"):
        assert all(torch.equal(a, b) for a, b in zip(one.split(part), other.split(part), strict=True))
    return True


def test_photos_are_decoded_once(insects, decoded, tmp_path):
    first = load_data(insects, img_size=(8, 8), cache=tmp_path / "cache")
    again = load_data(insects, img_size=(8, 8), cache=str(tmp_path / "cache"))
    assert decoded == [40]
    plain = load_data(insects, img_size=(8, 8), cache=False)
    assert same(first, plain)
    assert same(again, plain)
    assert again.digest() == first.digest() == plain.digest()
    assert again.changed(None, 1, (8, 8)).digest() != plain.digest()
    assert len(list((tmp_path / "cache").rglob("*.u8"))) == 1
    usual = {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}
    assert same(load_data(**first.source, config=usual, cache=tmp_path / "cache"), first)  # as evaluate does
    assert decoded == [40, 40]


def test_a_relative_path_finds_them_again(insects, decoded, tmp_path, monkeypatch):
    """`train --data insects` decoded them, and `evaluate`, which has the absolute path, decoded them again."""
    first = load_data(insects, img_size=(8, 8), cache=tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    assert same(load_data("insects", img_size=(8, 8), cache="cache"), first)
    assert decoded == [40]


def test_the_users_cache_folder_is_the_default(insects, decoded, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for _ in range(2):
        load_data(insects)
    assert decoded == [40]
    assert list((tmp_path / "home/tinynets").rglob("*.u8"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    for platform, end in (("linux", ".cache/tinynets"), ("darwin", "Library/Caches/tinynets"), ("win32", "tinynets")):
        monkeypatch.setattr(sys, "platform", platform)
        assert cache.default_cache().as_posix().endswith(end)


def test_what_changes_is_decoded_again(insects, decoded, tmp_path):
    def load(**options):
        return load_data(insects, cache=tmp_path / "cache", **{"img_size": (8, 8), **options})

    load()
    for options in ({"img_size": (6, 8)}, {"in_chans": 1}, {"background": "black"}, {"seed": 1}):
        load(**options)
    assert len(decoded) == 5
    os.utime(insects / "ant/0.png", (1, 1))
    load()
    (insects / "ant/1.png").unlink()
    assert len(load().train_labels) + len(load().val_labels) + len(load().test_labels) == 39
    assert decoded[5:] == [40, 39]


def test_the_files_stay_as_they_are(insects, decoded, tmp_path):
    first = load_data(insects, cache=tmp_path / "cache")
    before = first.train_images.clone()
    first.train_images.zero_()  # a private copy
    assert torch.equal(load_data(insects, cache=tmp_path / "cache").train_images, before)
    (path,) = (tmp_path / "cache").rglob("*.u8")
    path.write_bytes(path.read_bytes()[:-1])
    assert torch.equal(load_data(insects, cache=tmp_path / "cache").train_images, before)
    assert decoded == [40, 40]


def test_unreadable_files_are_reported_every_time(insects, decoded, tmp_path):
    (insects / "ant/0.png").write_bytes((insects / "ant/1.png").read_bytes()[:-40])  # detected only by decoding
    (insects / "ant/2.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"2 of 40 images in .*insects cannot be used: .*2\.png is not"):
            load_data(insects, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.u8*"))
    assert not list((tmp_path / "cache").rglob("*.partial"))
    first, again = (load_data(insects, skip_bad=True, cache=tmp_path / "cache") for _ in range(2))
    assert len(again.skipped) == 2
    assert same(first, again)
    assert decoded == [39, 39, 39]


def test_a_file_that_can_be_read_again_is(insects, decoded, tmp_path, monkeypatch):
    real, locked = photo_list.read_header, [str(insects / "ant/3.png")]

    def read_header(path):
        if str(path) in locked:
            raise ValueError(f"{path} cannot be read (Permission denied)")
        return real(path)

    monkeypatch.setattr(photo_list, "read_header", read_header)
    assert len(load_data(insects, skip_bad=True, cache=tmp_path / "cache").skipped) == 1
    locked.clear()
    data = load_data(insects, skip_bad=True, cache=tmp_path / "cache")
    assert same(data, load_data(insects, skip_bad=True, cache=False))
    assert decoded == [39, 40, 40]


@pytest.mark.parametrize("fault", ["a file", "full", "fills up"])
def test_without_disk_space_they_stay_in_memory(insects, tmp_path, monkeypatch, caplog, fault):
    def fail(handle):
        raise OSError(28, "No space left on device")

    if fault == "a file":
        (tmp_path / "cache").write_text("")
    elif fault == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    else:
        monkeypatch.setattr(os, "fsync", fail)
    data = load_data(insects, cache=tmp_path / "cache")
    (message,) = caplog.messages
    assert message.startswith(f"cannot cache decoded photos in {tmp_path / 'cache'} (")
    assert message.endswith("): they stay in memory, and the next run decodes them again (--cache for another folder)")
    monkeypatch.undo()
    assert same(data, load_data(insects, cache=False))
    assert not list(tmp_path.rglob("*.partial"))


def test_one_decodes_and_the_others_wait(insects, tmp_path, monkeypatch, decoded):
    counting, found = photos.read_blocks, []

    def slow(*args):
        time.sleep(0.2)
        return counting(*args)

    monkeypatch.setattr(photos, "read_blocks", slow)
    threads = [
        threading.Thread(target=lambda: found.append(load_data(insects, cache=tmp_path / "cache"))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert decoded == [40]
    assert same(found[0], found[1])
    assert same(found[0], found[2])
