import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import list_models
import pytest
import torch

import tinynets
from tinynets.engine import Checkpoint, save_checkpoint
from tinynets.report import text_table
from tinynets.weights import list_weights, read_manifest
from tinynets_cli import main


def test_list(run):
    code, out, _ = run("list")
    assert code == 0
    assert all(name in out for name in (*tinynets.list_models(), *tinynets.list_layers()))
    metadata = json.loads(run("list", "--json")[1])
    assert metadata == json.loads(list_models.index()), "run python tools/list_models.py"
    assert {m["model"]: m["params"] for m in metadata["models"]}["egrr_cifar100"] == 420_212
    rows = [
        (
            m["model"],
            m["params"],
            "x".join(map(str, m["input_size"])),
            str(m["num_classes"]),
            m["weights"] or "-",
            f"{m['top1']:.2f} %" if m["weights"] else "-",
        )
        for m in metadata["models"]
    ]
    assert out.startswith(text_table(("model", "params", "input", "classes", "weights", "test top-1"), rows))


def test_without_a_command_the_help_is_printed(run):
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "train a model" in err


def test_info(run, name):
    code, out, _ = run("info", name)
    assert code == 0
    assert "multiply-adds" in out
    assert "receptive field" in out
    metadata = json.loads(run("info", name, "--json")[1])
    assert metadata["params"] == tinynets.count_parameters(tinynets.create_model(name))
    assert metadata["receptive_field"]["size"] == tinynets.receptive_field(tinynets.create_model(name)).size


def test_info_with_arguments(run):
    small = json.loads(run("info", "ecnet_cifar10", "--model-kwargs", "channels=16", "iterations=2", "--json")[1])
    assert small["params"] < 20_000
    large = json.loads(run("info", "c1c2c3c4o_cifar10", "--input-size", "3x64x64", "--json")[1])
    assert large["macs"] > 3.9 * 13.73e6
    assert run("info", "c1c2c3c4o_cifar10", "--input-size", "64")[0] == 2


@pytest.mark.parametrize("side", ["32x32", "0", "-3", "1.5", "large"])
def test_an_invalid_image_size_is_named(run, side):
    code, _, err = run("train", "simplecnn_mnist", "--data", "digits", f"--img-size={side}")
    assert code == 2
    assert f"argument --img-size: expects one positive integer, got '{side}'" in err


def test_info_of_a_checkpoint(run, tmp_path):
    """It is counted at the size of the images that it was trained on, unless another is given."""
    args = {"num_classes": 2, "width": 0.25}
    model = tinynets.create_model("c1c2c3c4o_cifar10", **args)
    metadata = Checkpoint("c1c2c3c4o_cifar10", args, "mine", (0.5,) * 3, (0.2,) * 3, ("a", "b"), (16, 24))
    save_checkpoint(tmp_path / "x.safetensors", model, metadata)
    for given, size in (((), (3, 16, 24)), (("--input-size", "3x64x32"), (3, 64, 32))):
        counted = json.loads(run("info", tmp_path / "x.safetensors", *given, "--json")[1])
        assert counted["macs"] == tinynets.summary(model, size).macs
        assert counted["checkpoint"]["class_names"] == ["a", "b"]


def test_train_reports_and_evaluate_agrees(run, finished):
    out, stdout = finished
    summary = json.loads((out / "summary.json").read_text())
    assert f"{summary['last']['test_top1']:.2f} %" in stdout
    assert f"run directory: {out}\n" in stdout
    assert summary["recipe"]["schedule"]["epochs"] == 2
    assert summary["recipe"]["batch_size"] == 16  # the recipe for digits
    metadata = json.loads(run("evaluate", out / "last.safetensors", "--json")[1])
    assert {"model", "data", "split", "top1", "top5", "loss", "images_per_second"} <= set(metadata)
    assert metadata["top1"] == summary["last"]["test_top1"]
    assert (metadata["data"], metadata["split"]) == ("digits", "test")
    code, text, _ = run("evaluate", out / "best.safetensors", "--split", "train")
    assert code == 0
    assert "on digits train (1,438 images): top-1" in text
    classes = [float(line.split()[1]) for line in text.splitlines() if line.endswith(" %")]
    assert len(classes) == 10
    assert classes == sorted(classes)  # the worst first


def test_evaluate_of_fused_models(run, tmp_path):
    small = ["--model-kwargs", "channels=[8]", "num_steps=[2]", "strides=[1]"]
    argv = ["--data", "digits", "--epochs", 1, *small, "--out", tmp_path, "--val-size", 0.8]
    code, _, _ = run("train", "egrr_cifar100", *argv)
    assert code == 0
    plain, fused, hard = (
        json.loads(run("evaluate", tmp_path / "last.safetensors", "--json", *form)[1])
        for form in ((), ("--fuse",), ("--hard",))
    )
    assert [metadata["form"] for metadata in (plain, fused, hard)] == ["as trained", "fused", "fused, hard gates"]
    assert fused["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    assert hard["loss"] != pytest.approx(plain["loss"], rel=1e-5)
    assert run("evaluate", tmp_path / "last.safetensors", "--hard")[1].splitlines()[0].endswith(", fused, hard gates")


def test_train_flags_reach_the_recipe_and_the_model(run, tmp_path):
    argv = ["--epochs", 1, "--batch-size", 100, "--lr", 0.01, "--seed", 7, "--val-size", 0.5, "--json"]
    argv += ["--model-kwargs", "width=0.5"]
    code, out, err = run("train", "simplecnn_mnist", "--data", "digits", "--out", tmp_path, *argv)
    summary = json.loads(out)
    assert code == 0
    assert "epoch 1/1" in err
    recipe = summary["recipe"]
    assert (recipe["batch_size"], recipe["optimizer"]["lr"], recipe["seed"], recipe["val_size"]) == (100, 0.01, 7, 0.5)
    assert recipe["schedule"]["epochs"] == 1
    assert summary["model_args"]["width"] == 0.5


def test_train_uses_the_named_recipe(run, tmp_path):
    argv = ["--recipe", "original", "--val-size", 0.8, "--out", tmp_path, "--json"]
    code, out, _ = run("train", "simplecnn_mnist", "--data", "digits", *argv)
    assert code == 0
    assert json.loads(out)["recipe"]["optimizer"]["name"] == "adam"


def test_pretrained_models_evaluate_by_name(run, real_data):
    name = list_weights()[0]
    metadata = json.loads(run("evaluate", name, "--data-dir", real_data, "--json")[1])
    assert metadata["top1"] == pytest.approx(read_manifest()[name].metadata["top1"], abs=0.02)


def test_invalid_calls_are_one_line_errors(run, finished, tmp_path, unshipped):
    out, _ = finished
    truncated = tmp_path / "cut.safetensors"
    truncated.write_bytes((out / "last.safetensors").read_bytes()[:1000])
    torch.save({"weight": torch.zeros(1)}, tmp_path / "pickle.pt")
    cases = [
        (["info", "simplecn_mnist"], "'simplecn_mnist': did you mean simplecnn_mnist"),
        (["info", "ecnet_cifar10", "--model-kwargs", "width=2"], "ECNet.__init__() got an unexpected keyword argument"),
        (["info", "resnet18", "--model-kwargs", "width=2"], "ResNet.__init__() got an unexpected keyword argument"),
        (["info", "ecnet_cifar10", "--model-kwargs", "channels=0"], "channels must be an integer of at least 1"),
        (["train", "egrr", "--data", "digits"], "unknown model 'egrr'"),
        (
            ["train", "simplecnn_mnist", "--data", "digit", "--out", tmp_path / "x"],
            "unknown data set 'digit': there is no folder or file",
        ),
        (["train", "simplecnn_mnist", "--data-dir", tmp_path / "none", "--out", tmp_path / "x"], "does not exist"),
        (["train", "simplecnn_mnist", "--data", "digits", "--out", out], "already contains a run"),
        (
            ["train", "simplecnn_mnist", "--data", "digits", "--recipe", "best"],
            "unknown recipe of simplecnn_mnist 'best'",
        ),
        (
            ["train", "simplecnn_mnist", "--data", "digits", "--epochs", "0"],
            "schedule.epochs must be at least 1, got 0",
        ),
        (["train", "simplecnn_mnist", "--data", "digits", "--lr", "-1"], "optimizer.lr must be above 0, got -1.0"),
        (["evaluate", truncated], "is not a readable safetensors file"),
        (
            ["evaluate", tmp_path / "pickle.pt"],
            "is not a checkpoint: pass a model name, a run directory or a .safetensors",
        ),
        (["evaluate", tmp_path / "none.safetensors"], "no weights file at"),
        (["evaluate", "simplecn"], "unknown model or checkpoint 'simplecn'"),
        (["evaluate", unshipped, "--data", "digits"], "ships no pretrained weights"),
        (["evaluate", out / "last.safetensors", "--split", "val"], "unknown split 'val'"),
        (["evaluate", out / "last.safetensors", "--device", "cuda:99"], ""),  # torch's words depend on its build
        (["evaluate", out / "last.safetensors", "--device", "gpu"], "device string: gpu"),
    ]
    for argv, message in cases:
        code, stdout, stderr = run(*argv)
        lines = [line for line in stderr.splitlines() if line]
        assert code == 1, argv
        assert stdout == ""
        assert len(lines) == 1, stderr
        assert lines[0].startswith("tinynets: error: ")
        assert message in lines[0]
    assert not (tmp_path / "x").exists()


def test_incompatible_data_are_refused(run, finished):
    out, _ = finished
    model = tinynets.create_model("simplecnn_mnist", img_size=8, num_classes=3)
    checkpoint = Checkpoint(
        "simplecnn_mnist", {"img_size": 8, "num_classes": 3}, "mine", (0.5,), (0.2,), ("a", "b", "c")
    )
    save_checkpoint(out / "mine.safetensors", model, checkpoint)
    code, _, stderr = run("evaluate", out / "mine.safetensors", "--data", "digits")
    assert code == 1
    assert "digits has the classes 0, 1, 2, 3, 4, 5, ... (10), " in stderr
    assert "mine.safetensors predicts a, b, c: choose data with the classes of the model (--data)" in stderr


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        main(["evaluate", str(tmp_path / "none.safetensors"), "--debug"])


def test_interrupt(run, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynets.summary", interrupt)
    assert run("info", "simplecnn_mnist") == (130, "", "tinynets: error: interrupted\n")


def test_module_and_script_are_the_same_program(monkeypatch, capsys):
    script = Path(sys.executable).with_name("tinynets")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    monkeypatch.setattr(sys, "argv", ["tinynets", "--version"])
    monkeypatch.delitem(sys.modules, "tinynets.__main__", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("tinynets", run_name="__main__", alter_sys=True)  # python -m tinynets
    assert stopped.value.code in (0, None)
    assert done.stdout == capsys.readouterr().out == f"tinynets {tinynets.__version__}\n"


QUICK = "from tinynets_cli import main; main()"  # python -m tinynets imports torch


@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_closed_pipe_is_no_error(buffering):
    environment = {**os.environ, "PYTHONUNBUFFERED": buffering}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", QUICK, "list"], stdout=write, stderr=subprocess.PIPE, env=environment, text=True
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
