"""Class folders without train/ and test/, from the command line."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tinynets.engine import Normalize, load_trained, predict
from tinynets_cli import mistakes, train

MODEL = "simplecnn_mnist"
SHORT = ("--recipe", "digits", "--epochs", 1)


def add_photos(root, start, count):
    """Noisy 8x8 photos: ants are bright above, bees bright at the left."""
    for label in ("ant", "bee"):
        (root / label).mkdir(parents=True, exist_ok=True)
        for index in range(start, start + count):
            generator = np.random.default_rng([index, *label.encode()])
            pixels = generator.integers(0, 60, (8, 8), dtype=np.uint8)
            pixels[(slice(4), slice(None)) if label == "ant" else (slice(None), slice(4))] += 150
            Image.fromarray(pixels).save(root / label / f"{index:03}.png")
    return root


@pytest.fixture
def insects(tmp_path):
    return add_photos(tmp_path / "insects", 0, 50)


@pytest.fixture
def trained(run, insects, tmp_path):
    code, _, err = run("train", MODEL, "--data", insects, *SHORT, "--seed", 3, "--out", tmp_path / "run")
    assert code == 0, err
    assert err.count("insects has no train/ and test/: its classes are split by file name into") == 1
    return tmp_path / "run"


def split_of(out):
    return json.loads((out / "split.json").read_text())


def test_the_split_of_a_run_is_used_by_every_later_command(run, trained, insects, leave_out_drawing):
    split = split_of(trained)
    assert (split["seed"], split["test_size"], split["val_size"]) == (3, 0.1, 0.1)
    count = len(split["test"])
    assert count + len(split["val"]) + len(split["train"]) == 100
    top1 = json.loads((trained / "summary.json").read_text())["last"]["test_top1"]
    add_photos(insects, 50, 20)
    for more in ((), ("--data", insects)):
        code, out, err = run("evaluate", trained, "--json", *more)
        metadata = json.loads(out)
        assert (metadata["images"], metadata["top1"]) == (count, top1)
        assert "40 images are not in the run's split and are ignored" in err
        assert "has changed" not in err
        wrong = round(count * (1 - top1 / 100))
        assert len(metadata["mistakes"]) == min(wrong, 10)
        assert {mistake["file"] for mistake in metadata["mistakes"]} <= set(split["test"])
        assert sum(pair["photos"] for pair in metadata["confusions"]) == wrong
    averaged = json.loads(run("evaluate", trained, "--split", "train", "--tta", "flip+shift", "--json")[1])
    wrong = round(averaged["images"] * (1 - averaged["top1"] / 100))
    assert sum(pair["photos"] for pair in averaged["confusions"]) == wrong
    text = run("evaluate", trained, "--split", "val")[1]
    assert "val photos misclassified with the highest confidence:" in text or "no mistake on the val photos" in text
    leave_out_drawing()
    assert run("plot", trained)[0] == 0
    (trained / "summary.json").unlink()
    code, _, err = run("train", "--resume", "--out", trained)
    assert code == 0, err
    code, _, err = run("train", "--resume", "--out", trained, "--test-size", 0.3)
    assert (code, "--test-size has no effect: insects already has test images" in err) == (1, True)
    assert split_of(trained) == split


def test_weights_without_their_run_find_the_split_by_the_names(run, trained, insects, tmp_path):
    count = len(split_of(trained)["test"])
    shutil.copy(trained / "last.safetensors", tmp_path / "net.safetensors")
    assert json.loads(run("evaluate", tmp_path / "net.safetensors", "--json")[1])["images"] == count


def test_init_from_a_run_keeps_its_test_images(run, trained, tmp_path):
    code, _, err = run("train", "--init", trained, *SHORT, "--seed", 5, "--out", tmp_path / "more")
    assert code == 0, err
    assert split_of(tmp_path / "more") == split_of(trained)


def test_another_folder_is_evaluated_as_a_whole(run, trained, tmp_path):
    other = add_photos(tmp_path / "others", 100, 4)
    _, out, err = run("evaluate", trained, "--data", other, "--json")
    assert json.loads(out)["images"] == 8
    assert "others has no train/ and test/: all 8 images are test images" in err


def test_sizes_of_the_split(run, insects, tmp_path):
    argv = ("train", MODEL, "--data", insects, *SHORT, "--out", tmp_path / "run")
    code, _, err = run(*argv, "--test-size", 0.4, "--val-size", 0.2)
    assert code == 0, err
    split = split_of(tmp_path / "run")
    assert 30 <= len(split["test"]) <= 50
    assert 10 <= len(split["val"]) <= 30
    for given, message in (
        ((0.9, 0.1), "their sum below 1, got 0.9 and 0.1"),
        ((1, 0), "insects has no training images: it can only be used for evaluation"),
    ):
        code, _, err = run(*argv[:-1], tmp_path / "x", "--test-size", given[0], "--val-size", given[1])
        assert (code, message in err.splitlines()[-1]) == (1, True), err


def test_three_photos_in_all(run, tmp_path):
    root = add_photos(tmp_path / "few", 0, 1)
    Image.new("L", (8, 8)).save(root / "bee/more.png")
    code, _, err = run("train", MODEL, "--data", root, "--out", tmp_path / "run", *SHORT)
    assert code == 1
    assert "the training set has only 2 images: add images, training needs 8 for each process" in err
    assert not (tmp_path / "run").exists()


def test_no_model_is_named(run, insects, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "PHOTO_BACKBONE", "c1c2c3c4o_cifar10")
    monkeypatch.setattr(train, "PHOTO_SIZE", (16, 16))
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", "--data", insects, "--epochs", 1)
    assert code == 0, err
    line = "no MODEL given: fine-tuning c1c2c3c4o_cifar10 on images of 16x16 with the recipe finetune"
    assert line in err.splitlines()
    assert "starts from c1c2c3c4o_cifar10" in err
    for command in ("predict runs/insects PHOTO", "plot runs/insects", "export runs/insects --to tflite-int8"):
        assert f"  tinynets {command}" in out
    metadata = json.loads(run("train", "--resume", "--out", "runs/insects", "--json")[1])
    assert (metadata["model"], metadata["recipe"]["optimizer"]["name"]) == ("c1c2c3c4o_cifar10", "adamw")
    assert json.loads(run("evaluate", "runs/insects", "--json")[1])["top1"] == metadata["last"]["test_top1"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--data", "digits"), "specify the MODEL to train, a folder of photos (--data), or the run to resume"),
        (("--data", "nowhere"), "there is no folder nowhere (--data)"),
        ((MODEL, "--data", "digits", "--minutes", 0.0001), "are too short: the start, one epoch"),
        ((MODEL, "--data", "digits", "--minutes", 1, "--epochs", 2), "--epochs and --minutes both set the length"),
        (
            (MODEL, "--data", "digits", "--test-size", 0.2),
            "--test-size has no effect: digits already has test images",
        ),
    ],
)
def test_errors_are_one_line(run, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", *argv)
    assert (code, out, len(err.splitlines())) == (1, "", 1), err
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_mistakes():
    images = torch.randint(0, 256, (12, 1, 28, 28), dtype=torch.uint8)
    files = [f"{row}.png" for row in range(12)]
    trained = load_trained("simplecnn_mnist")
    logits = predict(trained.model, images, Normalize(trained.metadata.mean, trained.metadata.std))
    confidence, predicted = logits.softmax(1).max(1)
    truth = [3] * 6 + [7] * 6
    found = mistakes.find_mistakes(logits, torch.tensor(truth), trained.metadata.class_names, files)
    wrong = sorted((row for row in range(12) if predicted[row] != truth[row]), key=lambda row: -confidence[row])
    assert [m["file"] for m in found["mistakes"]] == [f"{row}.png" for row in wrong[:10]]
    assert found["mistakes"][0]["probability"] == pytest.approx(float(confidence[wrong[0]]), abs=1e-5)
    counts = [c["photos"] for c in found["confusions"]]
    assert counts == sorted(counts, reverse=True)
    assert {c["of"] for c in found["confusions"]} == {6}
    worst = found["confusions"][0]
    row = 3 if worst["class"] == "3 - three" else 7
    same = [trained.metadata.class_names[predicted[i]] == worst["predicted"] for i in range(12) if truth[i] == row]
    assert sum(same) == worst["photos"]
    text = mistakes.format_mistakes(found)
    assert f"{wrong[0]}.png" in text
    assert mistakes.format_mistakes({"confusions": [], "mistakes": []}) == "no mistake on the test photos"


def test_near_duplicates_across_splits_are_reported(run, insects, tmp_path):
    for path in list((insects / "ant").glob("*.png")):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    _, _, err = run("train", MODEL, "--data", insects, *SHORT, "--out", tmp_path / "run")
    assert "near-duplicates of training photos: " in err
    pairs = [line.split("  ") for line in (tmp_path / "run/duplicates.txt").read_text().splitlines()]
    split = split_of(tmp_path / "run")
    assert pairs
    for held_out, original in pairs:
        assert held_out in {*split["val"], *split["test"]}
        assert original in split["train"]
        assert (insects / held_out).read_bytes() == (insects / original).read_bytes()
