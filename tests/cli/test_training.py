"""train, recipe, predict and plot."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from tinynets.engine import get_recipe, load_data

DIGITS = ("--data", "digits")


@pytest.fixture
def beans(tmp_path):
    """A small .npz of 8x8 color images in three classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(36) % 3
    images = generator.integers(0, 60, (36, 8, 8, 3), dtype=np.uint8)
    images[labels == 1, :4] += 150
    images[labels == 2, :, :4] += 150
    path = tmp_path / "beans.npz"
    names = np.array(["kidney", "lima", "navy"])
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=names)
    return path


def test_recipe_prints_every_field(run):
    code, out, _ = run("recipe", "optimized200k_cifar10", "--recipe", "original", "--set", "mixing.mixup=0.1")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    for line in (
        ["mixing.mixup", "0.1"],
        ["distill.teacher", "none"],
        ["augment.flip", "true"],
    ):  # as --set accepts them
        assert line in lines
    assert out.rstrip().endswith("recipes: default, digits, finetune, original")
    metadata = json.loads(run("recipe", "egrr_cifar100", "--json")[1])
    assert metadata == get_recipe("egrr_cifar100").to_dict()


def test_a_recipe_file_with_settings_on_top(run, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(run("recipe", "simplecnn_mnist", "--recipe", "digits", "--set", "clip_grad=2.5", "--json")[1])
    argv = ["--recipe", path, "--epochs", 1, "--set", "optimizer.weight_decay=1e-4", "--set", "augment.flip=true"]
    argv += ["--val-size", 0.8]
    code, out, _ = run("train", "simplecnn_mnist", *DIGITS, *argv, "--out", tmp_path / "run", "--json")
    assert code == 0
    recipe = json.loads(out)["recipe"]
    assert (recipe["clip_grad"], recipe["optimizer"]["weight_decay"], recipe["augment"]["flip"]) == (2.5, 1e-4, True)
    assert recipe["schedule"]["epochs"] == 1
    assert json.loads((tmp_path / "run/recipe.json").read_text()) == recipe


def test_resume_needs_nothing_but_the_directory(run, tmp_path):
    out = tmp_path / "run"
    argv = ["train", "simplecnn_mnist", *DIGITS, "--epochs", 2, "--model-kwargs", "width=0.5", "--val-size", 0.8]
    argv += ["--out", out, "--resume", "--json"]
    first = json.loads(run(*argv)[1])  # starts a new run
    (out / "summary.json").unlink()
    again = json.loads(run("train", "--resume", "--out", out, "--json")[1])
    assert again["last"] == first["last"]
    assert again["model_args"]["width"] == 0.5
    code, _, err = run("train", "simplecnn_mnist.v3", "--resume", "--out", out)  # the same model
    assert code == 0, err
    for extra, message in (
        (["--epochs", 1], "has schedule.epochs 2, not 1"),
        (["--model-kwargs", "width=2"], "has model_args"),
        (["--set", "ema_decay=0.5"], "has ema_decay 0.99, not 0.5"),
    ):
        code, _, err = run("train", "--resume", "--out", out, *extra)
        assert code == 1
        assert message in err
    code, _, err = run("train", "--resume", "--out", tmp_path / "none")
    assert (code, "there is no run in" in err) == (1, True)
    assert "specify the MODEL to train" in run("train")[2]


def test_early_stopping_and_tensorboard(run, tmp_path):
    argv = ["--epochs", 30, "--set", "schedule.patience=2", "--lr", 1e-9, "--set", "ema_decay=0", "--tensorboard"]
    argv += ["--val-size", 0.8]
    code, out, _ = run("train", "simplecnn_mnist", *DIGITS, *argv, "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["last"]["epoch"] < 30
    (events,) = (tmp_path / "tensorboard").iterdir()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(events)).Reload()
    assert {"train_loss", "val_top1", "lr"} <= set(log.Tags()["scalars"])
    assert len(log.Scalars("val_top1")) == json.loads(out)["last"]["epoch"]


def test_a_custom_data_set_end_to_end(run, beans, tmp_path):
    out = tmp_path / "run"
    recipe = ["--recipe", "digits", "--batch-size", 6, "--epochs", 8]
    assert run("train", "c1c2c3c4o_cifar10", "--data", beans, *recipe, "--out", out)[0] == 0
    metadata = json.loads(run("evaluate", out / "last.safetensors", "--data", beans, "--tta", "shift", "--json")[1])
    assert list(metadata["per_class"]) == ["kidney", "lima", "navy"]
    facts_of_beans = json.loads(run("evaluate", out / "last.safetensors", "--data", beans, "--json")[1])
    assert metadata["tta"] == "shift"
    assert metadata["top1"] > 90
    text = run("evaluate", out / "last.safetensors", "--data", beans)[1]
    assert "calibration error" in text
    assert "kidney" in text

    data = load_data(beans)
    for label in range(3):
        pixels = data.test_images[label].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).resize((16, 16), Image.Resampling.NEAREST).save(tmp_path / f"{label}.png")
    images = [tmp_path / f"{label}.png" for label in range(3)]
    metadata = json.loads(run("predict", out / "last.safetensors", *images, "--top", 2, "--json")[1])
    assert [p["classes"][0]["class"] for p in metadata["predictions"]] == ["kidney", "lima", "navy"]
    assert all(len(p["classes"]) == 2 for p in metadata["predictions"])
    lines = run("predict", out / "last.safetensors", *images)[1].splitlines()
    assert lines[1].startswith(f"{images[1]}: lima ")
    assert (
        json.loads(run("evaluate", out / "last.safetensors", "--json")[1])["per_class"] == facts_of_beans["per_class"]
    )
    beans.rename(tmp_path / "moved.npz")
    code, _, err = run("evaluate", out / "last.safetensors")
    assert (code, "beans.npz no longer exists: give its new location with --data" in err) == (1, True)


def test_predict_with_shipped_weights(run, tmp_path):
    image = Image.new("L", (28, 28))
    image.paste(255, (13, 4, 16, 24))  # a digit 1
    image.save(tmp_path / "one.png")
    assert run("predict", "simplecnn_mnist", tmp_path / "one.png")[1].startswith(f"{tmp_path / 'one.png'}: 1 ")


def test_predict_errors_are_one_line(run, tmp_path, unshipped):
    (tmp_path / "text.png").write_text("no image")
    for argv, message in (
        (["simplecnn_mnist", tmp_path / "none.png"], "no image at"),
        (["simplecnn_mnist", tmp_path / "text.png"], "is not a readable image"),
        (["simplecnn_mnist", tmp_path / "text.png", "--top", 0], "top must be an integer of at least 1"),
        ([unshipped, tmp_path / "text.png"], "ships no pretrained weights"),
    ):
        code, out, err = run("predict", *argv)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert message in err


def test_plots(run, finished, beans, tmp_path, leave_out_drawing):
    out, _ = finished
    code, text, _ = run("plot", out)
    assert code == 0
    for name in ("curves.png", "confusion.png", "calibration.png", "samples.png", "augmented.png"):
        assert str(out / "plots" / name) in text
        with Image.open(out / "plots" / name) as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(1 << 24)) > 20  # something was drawn
    tiles = sorted((out / "plots/samples").iterdir())
    assert len(tiles) == 16
    with Image.open(tiles[0]) as tile:
        assert tile.size == (128, 128)

    other = tmp_path / "other"
    recipe = ["--recipe", "digits", "--batch-size", 6, "--epochs", 1]
    run("train", "c1c2c3c4o_cifar10", "--data", beans, *recipe, "--out", other)
    beans.unlink()
    leave_out_drawing()
    code, text, err = run("plot", other, out, "--out", tmp_path / "both", "--json")
    assert code == 0
    assert "only the curves of" in err
    test = ["confusion.png", "calibration.png", "samples.png", "samples/", "mistakes.png", "mistakes/"]
    made = [*test, "augmented.png", "augmented/"]
    assert json.loads(text)["files"] == ["curves.png", *(f"run-{name}" for name in made)]
    assert "contains no finished epoch" in run("plot", tmp_path)[2]
    code, text, _ = run("plot", out / "last.safetensors", "--out", tmp_path / "file", "--json")
    assert (code, json.loads(text)["files"]) == (0, test)


def test_plots_without_matplotlib(run, finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = run("plot", finished[0])
    assert (code, err) == (1, "tinynets: error: plots need matplotlib: pip install 'tinynets[plots]'\n")


def test_tensorboard_without_its_package(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, _, err = run("train", "simplecnn_mnist", *DIGITS, "--epochs", 1, "--tensorboard", "--out", tmp_path / "run")
    assert code == 1
    assert "logging to TensorBoard needs its package: pip install 'tinynets[tensorboard]'" in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(run, tmp_path, monkeypatch):
    command = ["train", "simplecnn_mnist", *DIGITS, "--epochs", 2, "--val-size", 0.8, "--out"]
    head, *epochs = run(*command, tmp_path / "a")[2].splitlines()
    assert head == "simplecnn_mnist  4,334 parameters, 287 images of digits and 1,151 for validation"
    assert [line.split()[0] for line in epochs] == ["epoch", "epoch"]
    assert "left" in epochs[0]
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run(*command, tmp_path / "b")[0] == 0
    assert "step/s" in terminal.getvalue()
    assert "epoch 2/2  loss" in terminal.getvalue()


def write_photos(root, counts=(("train", 12), ("test", 6)), sizes=((40, 30), (30, 50), (64, 64))):
    generator = np.random.default_rng(0)
    for part, count in counts:
        for label, name in enumerate(("cat\\tabby", "dog")):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                width, height = sizes[index % len(sizes)]
                pixels = generator.integers(0, 60, (height, width, 3), dtype=np.uint8)
                pixels[: height // 2] += 150 * label
                Image.fromarray(pixels).save(root / part / name / f"{index}.jpg")
    return root


def test_photos_of_different_sizes_need_no_option(run, tmp_path):
    photos = write_photos(tmp_path / "my photos")
    (photos / "train/dog/bad.jpg").write_bytes(b"no image")
    (photos / "train/dog/._1.jpg").write_bytes(b"resource fork")
    recipe = ["--recipe", "digits", "--batch-size", 6, "--epochs", 2, "--set", "class_weights=balanced"]
    argv = ["train", "c1c2c3c4o_cifar10", "--data", photos, *recipe, "--out", tmp_path / "run"]
    code, _, err = run(*argv)
    assert code == 1
    assert "1 of 37 images in" in err
    assert "bad.jpg is not a readable image" in err
    assert not (tmp_path / "run").exists()
    code, out, err = run(*argv, "--skip-bad", "--json")
    assert code == 0
    assert "images of different sizes are cropped and resized to 32x32" in err
    assert (tmp_path / "run/skipped.txt").read_text().startswith(str(photos / "train/dog/bad.jpg"))
    assert json.loads(out)["recipe"]["class_weights"] == "balanced"
    weights = tmp_path / "run/last.safetensors"
    metadata = json.loads(run("evaluate", weights, "--data", photos, "--skip-bad", "--json")[1])
    assert metadata["top1"] == json.loads(out)["last"]["test_top1"]
    assert list(metadata["per_class"]) == ["cat\\tabby", "dog"]
    seen = json.loads(run("predict", weights, photos / "test", "--json")[1])
    hits = [p["classes"][0]["class"] in p["image"] for p in seen["predictions"]]
    assert 100 * sum(hits) / len(hits) == metadata["top1"]
    shutil.rmtree(photos / "train")
    alone = json.loads(run("evaluate", weights, "--data", photos, "--json")[1])
    assert alone["top1"] == metadata["top1"]
    code, _, err = run("train", "c1c2c3c4o_cifar10", "--data", photos, "--out", tmp_path / "other")
    assert (code, "has no training images: it can only be used for evaluation" in err) == (1, True)
