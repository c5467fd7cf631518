"""Commands on timm models, checkpoint metadata, and initial weights."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tinynets.engine import get_recipe, load_checkpoint, load_data

SHORT = ["--epochs", 2, "--batch-size", 16, "--set", "ema_decay=0"]


def picture(label, seed, size=16):
    pixels = np.random.default_rng(seed).integers(0, 60, (size, size, 3))
    pixels[: size // 2 if label else size, : size if label else size // 2] += 150
    return Image.fromarray(pixels.astype(np.uint8))


def make_folder(root, classes=("cat", "dog"), counts=(32, 16), size=16):
    for part, count in zip(("train", "test"), counts, strict=True):
        for label, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                picture(label, 1000 * label + i + (part == "test") * 500, size).save(root / part / name / f"{i}.png")
    return root


@pytest.fixture
def pets(tmp_path):
    return make_folder(tmp_path / "pets", size=24)


@pytest.fixture
def trained(run, pets, tmp_path):
    """A run on the folder at 16x16."""
    argv = ["--data", pets, "--img-size", 16, *SHORT, "--set", "mixing.cutmix=0", "--out", tmp_path / "run"]
    assert run("train", "c1c2c3c4o_cifar10", *argv)[0] == 0
    return tmp_path / "run"


def top1(run, *argv):
    code, out, err = run("evaluate", *argv, "--json")
    assert code == 0, err
    return json.loads(out)["top1"]


def test_a_timm_model_end_to_end(run, tmp_path, leave_out_drawing):
    out = tmp_path / "run"
    code, text, err = run("train", "test_resnet", "--data", "digits", "--epochs", 1, "--val-size", 0.8, "--out", out)
    assert code == 0, err
    summary = json.loads((out / "summary.json").read_text())
    assert top1(run, out / "last.safetensors") == summary["last"]["test_top1"]
    assert top1(run, out) == summary["last"]["test_top1"]
    data = load_data("digits")
    Image.fromarray(data.test_images[0, 0].numpy()).save(tmp_path / "a.png")
    (prediction,) = json.loads(run("predict", out, tmp_path / "a.png", "--json")[1])["predictions"]
    assert prediction["classes"][0]["class"] in data.class_names
    assert "weights: " not in run("info", out)[1]
    metadata = json.loads(run("info", "test_vit", "--json")[1])
    assert (metadata["checkpoint"], metadata["weights"]) == (None, None)
    leave_out_drawing()
    code, text, _ = run("plot", out, "--json")
    assert (code, "confusion.png" in json.loads(text)["files"]) == (0, True)
    metadata = json.loads(run("recipe", "test_resnet.r160_in1k", "--json")[1])
    assert metadata == get_recipe("test_resnet").to_dict()


def test_a_model_named_after_no_data_needs_data(run, tmp_path):
    code, _, err = run("train", "test_resnet", "--out", tmp_path / "x")
    assert (code, "no data set is known for this model: choose one with --data" in err) == (1, True)


def test_evaluate_scores_what_was_trained_in_its_size(run, pets, trained):
    summary = json.loads((trained / "summary.json").read_text())
    assert top1(run, trained) == top1(run, trained, "--data", pets) == summary["last"]["test_top1"]
    metadata = load_checkpoint(trained / "last.safetensors")[1]
    assert metadata.data_source["name"] == str(pets)
    assert list(metadata.img_size) == [16, 16]


def test_resume_from_anywhere(run, trained, pets, tmp_path, monkeypatch):
    first = json.loads((trained / "summary.json").read_text())
    monkeypatch.chdir(tmp_path)
    for argv in ([], ["--data", "pets"]):
        (trained / "summary.json").unlink()
        code, out, err = run("train", "--resume", "--out", "run", "--json", *argv)
        assert code == 0, err
        assert json.loads(out)["last"] == first["last"]
    code, out, err = run("train", "--resume", "--out", "run", "--epochs", 3, "--json")
    assert (code, json.loads(out)["last"]["epoch"], "resumes at epoch 2 of 2, extended to 3" in err) == (0, 3, True)
    shutil.rmtree(pets)
    code, _, err = run("evaluate", trained)
    assert (code, f"{pets} no longer exists: give its new location with --data" in err) == (1, True)


def test_classes_are_matched_by_name(run, trained, tmp_path):
    plain = json.loads(run("evaluate", trained, "--json")[1])
    npz = tmp_path / "turned.npz"
    data = load_data(tmp_path / "pets", img_size=(16, 16))
    x, y = data.test_images.permute(0, 2, 3, 1).numpy(), 1 - data.test_labels.numpy()
    np.savez(npz, x_train=x, y_train=y, x_test=x, y_test=y, class_names=["dog", "cat"])
    turned = json.loads(run("evaluate", trained, "--data", npz, "--json")[1])
    assert (turned["top1"], turned["per_class"]) == (plain["top1"], plain["per_class"])
    np.savez(npz, x_train=x, y_train=y, x_test=x, y_test=y, class_names=["dog", "cow"])
    code, out, err = run("evaluate", trained, "--data", npz)
    assert (code, out) == (1, "")
    assert "turned has the classes dog, cow, " in err
    assert "predicts cat, dog: choose data with the classes of the model (--data)" in err


def test_a_folder_named_like_a_data_set(run, tmp_path, monkeypatch, caplog):
    make_folder(tmp_path / "digits", size=8)
    monkeypatch.chdir(tmp_path)
    code, _, err = run("train", "c1c2c3c4o_cifar10", "--data", "./digits", *SHORT, "--out", "run")
    assert code == 0, err
    metadata = json.loads(run("evaluate", "run", "--json")[1])
    assert list(metadata["per_class"]) == ["cat", "dog"]
    assert load_data(tmp_path / "digits").class_names == ("cat", "dog")
    caplog.clear()
    assert len(load_data("digits").class_names) == 10
    assert caplog.messages == ["digits refers to the built-in data set; for the folder use ./digits"]


def test_data_that_have_changed_are_reported(run, trained, pets):
    picture(1, 99, 24).save(pets / "test/cat/0.png")
    code, _, err = run("evaluate", trained)
    assert (code, "pets has changed since" in err) == (0, True)


def test_fine_tuning_in_one_command(run, trained, pets, tmp_path):
    out = tmp_path / "tuned"
    argv = ["--data", pets, "--img-size", 16, "--epochs", 1, "--batch-size", 16]
    code, text, err = run("train", "optimized200k_cifar10", "--pretrained", *argv, "--out", out, "--json")
    assert code == 0, err
    assert "starts from optimized200k_cifar10 (optimized200k_cifar10, trained on cifar10)" in err
    finetune = get_recipe("optimized200k_cifar10", "finetune").to_dict()["optimizer"]
    assert json.loads(text)["recipe"]["optimizer"] == finetune
    code, text, err = run("train", "--init", trained, *argv[4:], "--out", tmp_path / "again", "--json")
    assert code == 0, err
    assert (json.loads(text)["model"], json.loads(text)["data"]) == ("c1c2c3c4o_cifar10", "pets")
    assert json.loads(text)["recipe"]["optimizer"] == finetune
    assert "new classifier" not in err
    code, text, err = run("train", "--init", trained, "--recipe", "default", *argv, "--out", tmp_path / "b", "--json")
    assert json.loads(text)["recipe"]["optimizer"]["name"] == "muon"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--pretrained"], "--pretrained needs the name of a MODEL"),
        (["--init", "none.safetensors"], "no weights file at none.safetensors"),
        (["c1c2c3c4o_cifar10", "--pretrained", "--data", "digits"], "c1c2c3c4o_cifar10 ships no pretrained weights"),
        (
            ["simplecnn_mnist", "--data", "digits", "--set", "optimizer.momentum=0.9"],
            "adamw does not use optimizer.momentum",
        ),
    ],
)
def test_invalid_initial_weights_are_one_line_errors(run, tmp_path, monkeypatch, unshipped, argv, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", *argv)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_a_custom_module_resumes_in_python_only(run, tiny_data, tmp_path, capsys):
    import torch
    from support import QUICK

    from tinynets.engine import override, train

    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    train(net, tiny_data, override(QUICK, {"schedule.epochs": 1, "schedule.warmup_epochs": 0}), tmp_path)
    capsys.readouterr()
    for command in (["train", "--resume", "--out", tmp_path], ["evaluate", tmp_path], ["info", tmp_path]):
        code, _, err = run(*command)
        assert (code, len(err.splitlines()), "custom module" in err) == (1, 1, True)


@pytest.mark.parametrize("path", ["file", "file/run"])
def test_an_unwritable_out_is_a_one_line_error(run, tmp_path, path):
    (tmp_path / "file").write_text("")
    code, out, err = run("train", "simplecnn_mnist", "--data", "digits", "--out", tmp_path / path)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "cannot write to" in err
    assert "choose another directory" in err
