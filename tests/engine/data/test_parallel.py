"""Multithreaded reading: images, unreadable files, progress bar, interrupts."""

import sys
import time

import numpy as np
import pytest
from PIL import Image

from tinynets.engine import read_images
from tinynets.engine.data import parallel


def noise(height, width):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_many_files_at_once(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for index, path in enumerate(paths):
        Image.new("L", (6 + index % 3, 6), index).save(path)
    paths[7].write_bytes(b"")
    paths.insert(3, tmp_path / "none.png")
    images, bad = read_images(paths, "L", (5, 5))
    assert list(bad) == [3, 8]
    assert "no image at" in bad[3]
    assert images.shape == (29, 1, 5, 5)
    assert images[:, 0, 0, 0].tolist() == [i for i in range(30) if i != 7]


def test_more_files_than_are_handed_out_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "BLOCK", 4)
    paths = [tmp_path / f"{i}.png" for i in range(11)]
    for index, path in enumerate(paths):
        Image.new("L", (3, 3), index).save(path)
    images, bad = read_images(paths, "L", (3, 3))
    assert bad == {}
    assert images[:, 0, 0, 0].tolist() == list(range(11))


def test_blocks_are_handed_over_in_order_without_bad_files(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "BLOCK", 4)
    paths = [tmp_path / f"{i}.png" for i in range(11)]
    for index, path in enumerate(paths):
        Image.new("L", (3, 3), index).save(path)
    for index in (1, 4, 5, 6, 7):  # a whole block and one of another
        paths[index].write_bytes(b"no image")
    blocks = []
    bad = parallel.read_blocks(
        paths, "L", (3, 3), "white", None, lambda block: blocks.append(block[:, 0, 0, 0].tolist())
    )
    assert list(bad) == [1, 4, 5, 6, 7]
    assert blocks == [[0, 2, 3], [], [8, 9, 10]]


def test_arguments_are_checked_once():
    with pytest.raises(ValueError, match="background must be a color"):
        read_images(["none.png"], "L", (4, 4), "whitish")
    with pytest.raises(ValueError, match="img_size must be"):
        read_images(["none.png"], "L", (4, 0))


@pytest.mark.parametrize("stderr", ["none", "bare", "terminal"])
def test_progress(tmp_path, monkeypatch, stderr):
    written = []

    class Bare:
        def write(self, text):
            written.append(text)

        def flush(self):
            pass

        def isatty(self):
            return stderr == "terminal"

    noise(4, 4).save(tmp_path / "x.png")
    slow = parallel.read_image
    monkeypatch.setattr(parallel, "read_image", lambda *args: time.sleep(0.2) or slow(*args))
    monkeypatch.setattr(parallel, "core_count", lambda: 1)
    monkeypatch.setattr(sys, "stderr", None if stderr == "none" else Bare())
    images, _ = read_images([tmp_path / "x.png"] * 8, "RGB", (4, 4))
    assert len(images) == 8
    assert any("reading" in text for text in written) == (stderr == "terminal")


def test_an_interrupt_stops_the_reading(tmp_path, monkeypatch):
    def read(*args):
        started.append(args[0])
        raise KeyboardInterrupt

    started = []
    monkeypatch.setattr(parallel, "read_image", read)
    with pytest.raises(KeyboardInterrupt):
        read_images([str(i) for i in range(1000)], "L", (4, 4))
    assert len(started) < 500
