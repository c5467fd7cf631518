"""predict: files, folders and patterns to text, JSON and CSV; an error does not affect other results."""

import csv
import io
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

MODEL = "simplecnn_mnist"


def digit(kind="one"):
    image = Image.new("L", (28, 28))
    if kind == "one":
        image.paste(255, (13, 4, 16, 24))
    else:  # seven
        image.paste(255, (7, 5, 21, 8))
        for row in range(8, 24):
            image.paste(255, (20 - (row - 8) // 2, row, 22 - (row - 8) // 2 + 1, row + 1))
    return image


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "my scans"
    (folder / "deep/er").mkdir(parents=True)
    (folder / ".thumbs").mkdir()
    digit().save(folder / "b.png")
    digit("seven").save(folder / "a.PNG")
    digit().save(folder / "deep/er/c.png")
    digit().save(folder / ".thumbs/d.png")
    (folder / "._b.png").write_bytes(b"resource fork")
    (folder / "notes.txt").write_text("no image")
    return folder


def images_of(metadata):
    return [prediction["image"] for prediction in metadata["predictions"]]


def test_folders_and_patterns(run, scans):
    every = [str(scans / name) for name in ("a.PNG", "b.png", "deep/er/c.png")]
    code, out, err = run("predict", MODEL, scans, "--json", "--batch-size", 2, "--top", 1)
    assert code == 0
    assert err == f"tinynets: {scans}: ignored because of their extensions: 1 .txt\n"
    metadata = json.loads(out)
    assert images_of(metadata) == every
    assert [p["classes"][0]["class"][0] for p in metadata["predictions"]] == ["7", "1", "1"]
    assert metadata["errors"] == []
    assert images_of(json.loads(run("predict", MODEL, f"{scans}/*.png", "--json")[1])) == every[1:2]
    assert images_of(json.loads(run("predict", MODEL, f"{scans}/**/*.png", "--json")[1])) == every[1:]
    assert images_of(json.loads(run("predict", MODEL, f"{scans}/de*", every[0], "--json")[1])) == [every[2], every[0]]
    odd = scans / "[1].png"
    digit().save(odd)
    assert images_of(json.loads(run("predict", MODEL, odd, "--json")[1])) == [str(odd)]
    text = run("predict", MODEL, *every, "--batch-size", 1)[1].splitlines()
    assert [line.split(": ")[0] for line in text] == every
    assert text[1].split(": ")[1].startswith("1 ")


def test_one_bad_file_does_not_lose_the_others(run, scans, tmp_path):
    (scans / "bad.png").write_bytes(b"no image")
    (scans / "empty").mkdir()
    argv = [scans, tmp_path / "none.png", f"{tmp_path}/*.jpg", scans / "empty"]
    code, out, err = run("predict", MODEL, *argv)
    assert (code, len(out.splitlines()), len(err.splitlines())) == (1, 3, 2)
    for part in (
        "4 of 7 images",
        "bad.png is not a readable image",
        "no image at",
        "no file matches",
        "is a folder without images",
    ):
        assert part in err
    code, out, err = run("predict", MODEL, *argv, "--json", "--batch-size", 2)  # the bad one is in the second batch
    metadata = json.loads(out)
    assert (code, len(metadata["errors"])) == (1, 4)
    assert images_of(metadata) == [str(scans / name) for name in ("a.PNG", "b.png", "deep/er/c.png")]
    assert {"image": str(scans / "bad.png"), "error": metadata["errors"][2]["error"]} in metadata["errors"]
    code, out, err = run("predict", MODEL, scans / "bad.png", scans / "b.png")
    assert (code, len(out.splitlines())) == (1, 1)
    assert err.rstrip().endswith("; images classified: 1")
    code, out, err = run("predict", MODEL, scans / "empty", "--json")
    assert (code, out) == (1, "")
    assert err == f"tinynets: error: {scans / 'empty'} is a folder without images\n"


def test_csv(run, scans, tmp_path):
    (scans / "bad.png").write_bytes(b"no image")
    table = tmp_path / "out.csv"
    code, _, _ = run("predict", MODEL, scans, "--top", 2, "--csv", table)
    assert code == 1
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["image", "class_1", "probability_1", "class_2", "probability_2", "error"]
    assert [row["image"] for row in rows] == [str(scans / n) for n in ("a.PNG", "b.png", "deep/er/c.png", "bad.png")]
    assert float(rows[0]["probability_1"]) > float(rows[0]["probability_2"]) > 0
    assert "is not a readable image" in rows[3]["error"]
    for path, message in ((tmp_path / "none/x.csv", "there is no folder"), (tmp_path, "is a folder: choose a file")):
        code, out, err = run("predict", MODEL, scans, "--csv", path)
        assert (code, out) == (1, "")  # before any work
        assert message in err


def test_wrong_polarity_is_reported_and_inverted(run, tmp_path):
    paths = []
    for index, kind in enumerate(("one", "seven", "one")):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(255 - np.array(digit(kind))).save(paths[-1])
    message = "tinynets: 3 of 3 images have a light background, the model was trained on a dark one: "
    code, out, err = run("predict", MODEL, *paths, "--top", 1)
    assert (code, err) == (0, message + "swap light and dark with --invert\n")
    code, out, err = run("predict", MODEL, *paths, "--top", 1, "--invert")
    assert (code, err) == (0, "")
    assert [line.split(": ")[1][0] for line in out.splitlines()] == ["1", "7", "1"]
    digit().save(tmp_path / "light.png")
    assert "omit --invert" in run("predict", MODEL, tmp_path / "light.png", "--invert")[2]


def test_evaluate_reports_the_polarity_too(run, tmp_path):
    (tmp_path / "dark/test/1").mkdir(parents=True)
    for index in range(10):
        (tmp_path / f"dark/test/{index}").mkdir(exist_ok=True)
        pixels = 255 - np.array(digit())
        pixels[0, index] = 0
        Image.fromarray(pixels).save(tmp_path / f"dark/test/{index}/0.png")
    code, out, err = run("evaluate", MODEL, "--data", tmp_path / "dark", "--json")  # a test split only
    assert code == 0
    assert json.loads(out)["images"] == 10
    assert "10 of 10 images have a light background" in err
    code, out, err = run("evaluate", MODEL, "--data", tmp_path / "dark", "--json", "--invert")
    assert (code, err) == (0, "")
    assert json.loads(out)["top1"] == 10.0


def test_transparent_ink(run, tmp_path):
    pixels = np.zeros((28, 28, 4), np.uint8)
    pixels[..., 3] = np.array(digit())
    Image.fromarray(pixels).save(tmp_path / "black.png")
    pixels[..., :3] = 255
    Image.fromarray(pixels).save(tmp_path / "white.png")
    code, out, _ = run("predict", MODEL, tmp_path / "black.png", "--invert", "--top", 1)
    assert (code, out.split(": ")[1][0]) == (0, "1")
    code, _, err = run("predict", MODEL, tmp_path / "white.png")
    assert (code, "choose another background" in err) == (1, True)
    code, out, _ = run("predict", MODEL, tmp_path / "white.png", "--background", "black", "--top", 1)
    assert (code, out.split(": ")[1][0]) == (0, "1")


def test_names_that_the_console_cannot_encode(run, tmp_path, monkeypatch):
    folder = tmp_path / "猫"
    folder.mkdir()
    digit().save(folder / "犬 ñ.png")
    bad = os.fsdecode(os.fsencode(str(folder)) + b"/\xff\xfe.png")
    digit().save(bad)
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "cp1252") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    for argv, code in (([folder, "--csv", tmp_path / "鳥.csv"], 0), ([folder, "--json"], 0), ([folder / "無.png"], 1)):
        assert run("predict", MODEL, *argv)[0] == code
    stderr.flush()
    assert stderr.buffer.getvalue().count(b"\n") == 1  # the last one's
    first, second, *rest = stdout.buffer.getvalue().decode("cp1252").splitlines()
    assert "\\u732b" in first
    assert "\\udcff" in second or "\\udcff" in first
    assert len((tmp_path / "鳥.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert sorted(images_of(json.loads("\n".join(rest)))) == sorted([str(folder / "犬 ñ.png"), bad])
