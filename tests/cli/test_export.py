import json

import pytest

from tinynets.deploy import FORMATS


def test_a_user_checkpoint(finished, run, tmp_path):
    """Compared on the data that it was trained on, which the checkpoint names."""
    out, _ = finished
    code, stdout, _ = run("export", out, "--to", "pt2", "--data", "digits", "--out", tmp_path / "net.pt2", "--json")
    metadata = json.loads(stdout)
    assert code == 0
    assert metadata["real"]
    assert metadata["agreement"] == 100
    summary = json.loads((out / "summary.json").read_text())
    assert metadata["images"] == 359  # the test set
    assert metadata["model_top1"] == metadata["file_top1"] == pytest.approx(summary["last"]["test_top1"])
    assert metadata["bytes"] == (tmp_path / "net.pt2").stat().st_size


def test_synthetic_images_are_reported(run, tmp_path):
    code, stdout, stderr = run("export", "simplecnn_mnist", "--to", "pt2", "--out", tmp_path / "net.pt2")
    assert code == 0
    assert "same class as PyTorch for 100.00 % of 64 images" in stdout
    assert "compared on 64 synthetic images: choose real images with --data" in stderr


@pytest.mark.skipif(not FORMATS["tflite-int8"].installed(), reason="needs litert")
def test_int8_for_a_microcontroller(finished, run, tmp_path):
    out, _ = finished
    net = tmp_path / "net.tflite"
    options = ["--pixels", "--c-array", "--calibration", 32, "--images", 32]
    code, stdout, stderr = run("export", out, "--to", "tflite-int8", *options, "--out", net)
    assert code == 0, stderr
    assert "on a microcontroller: " in stdout
    assert {path.name for path in tmp_path.glob("net.*")} == {"net.tflite", "net.h", "net.cc"}


def test_data_of_other_classes_are_refused(run, tmp_path):
    code, _, stderr = run(
        "export", "c1c2c3c4o_cifar10", "--to", "pt2", "--data", "digits", "--out", tmp_path / "net.pt2"
    )
    assert code == 1
    assert "digits has the classes" in stderr
    assert list(tmp_path.glob("net*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "onx"], "unknown format 'onx': did you mean onnx"),
        (["--to", "pt2", "--c-array"], "--c-array applies only to tflite and tflite-int8"),
        (
            ["--to", "pt2", "--project", "arduino"],
            "--project, --flash and --ram have no effect on pt2: they apply to c",
        ),
        (["--to", "pt2", "--images", "0"], "images must be an integer of at least 1, got 0"),
        (["--to", "pt2", "--out", "nowhere/net.pt2"], "there is no folder nowhere"),
    ],
)
def test_wrong_calls_are_one_line_errors(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, stderr = run("export", "simplecnn_mnist", *arguments)
    assert code == 1
    assert message in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
