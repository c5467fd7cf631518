"""Class names may be anything that a file system allows, and are displayed correctly everywhere."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from tinynets._text import printable

NAMES = (
    *("$x$ & <y>", "1 - cat", "1 - dog", '50%_"o\'k"'),
    *(("caf\udce9",) if sys.platform == "linux" else ()),  # a byte that is not UTF-8
    *("two\nlines", "\u05db\u05dc\u05d1 \U0001f415"),
)


@pytest.fixture
def odd(tmp_path):
    for place, part in enumerate(("train", "test")):
        for label, name in enumerate(NAMES):
            (tmp_path / "odd" / part / name).mkdir(parents=True)
            for index in range(8 - 4 * place):
                pixels = np.random.default_rng((place, label, index)).integers(0, 40, (8, 8), np.uint8) + 36 * label
                Image.fromarray(pixels).save(tmp_path / "odd" / part / name / f"{index}.png")
    return tmp_path / "odd"


@pytest.fixture
def trained(run, odd, tmp_path):
    out = tmp_path / "run"
    argv = ["--recipe", "digits", "--epochs", 3, "--batch-size", 8, "--val-size", 0]
    code, _, err = run("train", "simplecnn_mnist", "--data", odd, *argv, "--out", out)
    assert code == 0, err
    return out


def test_every_output(run, trained, tmp_path):
    metadata = json.loads(run("evaluate", trained, "--json")[1])
    assert tuple(metadata["per_class"]) == NAMES
    assert metadata["top1"] == json.loads((trained / "summary.json").read_text())["last"]["test_top1"]
    table = run("evaluate", trained)[1]
    assert all(printable(name) in table for name in NAMES)
    photo = tmp_path / "odd/test" / "two\nlines" / "0.png"
    code, out, _ = run("predict", trained, photo, "--top", len(NAMES), "--csv", tmp_path / "table.csv")
    assert (code, len(out.splitlines())) == (0, 1)
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert row[0] == str(photo)
    written = {name.encode(errors="backslashreplace").decode() for name in NAMES}
    assert {row[i] for i, title in enumerate(header) if title.startswith("class")} == written
    assert run("info", trained)[0] == 0
    assert run("plot", trained)[0] == 0
    assert (trained / "plots/confusion.png").exists()


def test_nothing_trained_is_overwritten(run, trained, tmp_path):
    before = (trained / "last.safetensors").read_bytes()
    argv = ["train", "simplecnn_mnist", "--data", tmp_path / "odd", "--out", trained, "--resume"]
    argv += ["--recipe", "digits", "--epochs", 4, "--batch-size", 8, "--val-size", 0]
    code, _, err = run("train", "c1c2c3c4o_cifar10", *argv[2:])
    assert (code, "the run trains simplecnn_mnist, not c1c2c3c4o_cifar10" in err) == (1, True)
    code, _, err = run(*argv, "--pretrained")
    assert (code, "the run started from random weights, not from simplecnn_mnist" in err) == (1, True)
    (trained / "state.pt").unlink()
    code, _, err = run(*argv)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "of a run, but no state.pt to resume from" in err
    assert (trained / "last.safetensors").read_bytes() == before


def test_invalid_data(run, odd, tmp_path):
    root = odd
    argv = ["--recipe", "digits", "--epochs", 1, "--batch-size", 8, "--out", tmp_path / "again"]
    code, _, err = run("train", "simplecnn_mnist", "--data", root, *argv, "--val-size", 0.05)
    assert (code, f"{len(NAMES)} of {len(NAMES)} classes have no validation image: 0.05 (val_size)" in err) == (0, True)
    shutil.copytree(root / "test", root / "val")
    code, _, err = run("train", "simplecnn_mnist", "--data", root, *argv[:-1], tmp_path / "x", "--val-size", 0.5)
    assert (code, "--val-size has no effect: odd has validation images of its own" in err) == (1, True)
    for part in ("train", "val", "test"):
        for name in NAMES[1:]:
            shutil.rmtree(root / part / name)
    code, _, err = run("train", "simplecnn_mnist", "--data", root, "--out", tmp_path / "one")
    assert (code, "odd has only one class, '$x$ & <y>': training needs two or more" in err) == (1, True)


@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")
def test_errors_and_messages_are_printable_lines(run, tmp_path):
    name = "a\n\x1b[2Jb"
    argv = ["evaluate", "simplecnn_mnist", "--no-cache", "--data", tmp_path / name]
    _, _, missing = run(*argv)
    (tmp_path / name / name).mkdir(parents=True)
    _, _, empty = run(*argv)
    Image.new("L", (28, 28)).save(tmp_path / name / name / f"{name}.png")
    _, _, other_classes = run(*argv)
    (tmp_path / name / name / f"{name}.png").write_bytes(b"no image")
    _, _, unreadable = run(*argv)
    for err, lines in ((missing, 1), (empty, 1), (other_classes, 2), (unreadable, 1)):
        assert len(err.splitlines()) == lines
        assert all(line.isprintable() and r"\x1b[2Jb" in line for line in err.splitlines())
