import hashlib

import pytest

from tinynets.deploy import artifact
from tinynets.weights import manifest, read_manifest

SHIPPED = [name for name, weights in read_manifest().items() if "files" in weights.metadata]
RECURSIVE = ("ecnet_cifar10", "egrr_cifar100")  # their errors add up over the steps
PHOTOS = "tiny_imagenet"  # 200 classes: many images are close to a border between two


@pytest.mark.parametrize("name", SHIPPED)
def test_int8_files_match_the_manifest(name):
    path = artifact(name)
    weights = read_manifest()[name]
    figures = weights.metadata["files"]["tflite-int8"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == figures["sha256"]
    loss = 1.0 if name in RECURSIVE else 0.5 if PHOTOS in name else 0.3
    assert weights.metadata["top1"] - figures["top1"] <= loss
    assert weights.metadata["top1"] - figures["micro_top1"] <= loss
    assert 40_000 < path.stat().st_size < weights.path.stat().st_size


def test_most_nets_ship_one():
    assert {"c1c2c3c4o_cifar10", "egrr_cifar100", "optimized200k_cifar10", "simplecnn_mnist"} <= set(SHIPPED)


def test_no_file_is_left_over():
    named = {entry["file"] for w in read_manifest().values() for entry in w.metadata.get("files", {}).values()}
    assert {path.name for path in manifest.ARTIFACTS.glob("*.tflite")} == named


def test_wrong_calls_are_one_line_errors():
    with pytest.raises(ValueError, match="unknown model with weights 'simplecn_mnist': did you mean simplecnn_mnist"):
        artifact("simplecn_mnist")
    with pytest.raises(ValueError, match="simplecnn_mnist ships no onnx file"):
        artifact("simplecnn_mnist", "onnx")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    name = SHIPPED[0]
    entry = read_manifest()[name]
    broken = manifest.Weights(entry.tag, tmp_path / entry.path.name, entry.sha256, entry.metadata)
    (tmp_path / entry.metadata["files"]["tflite-int8"]["file"]).write_bytes(b"short")
    monkeypatch.setattr("tinynets.deploy.shipped.read_manifest", lambda: {name: broken})
    with pytest.raises(RuntimeError, match="missing or damaged: reinstall tinynets"):
        artifact(name)
