import hashlib

import pytest

from tinynets.deploy import artifact
from tinynets.weights import list_weights, manifest, read_manifest


@pytest.mark.parametrize("name", list_weights())
def test_every_net_with_weights_ships_an_int8_file(name):
    path = artifact(name)
    facts = read_manifest()[name].facts
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts["files"]["tflite-int8"]["sha256"]
    assert facts["top1"] - facts["files"]["tflite-int8"]["top1"] <= 0.3
    assert 40_000 < path.stat().st_size < 800_000


def test_no_file_is_left_over():
    named = {entry["file"] for w in read_manifest().values() for entry in w.facts.get("files", {}).values()}
    assert {path.name for path in manifest.ARTIFACTS.glob("*.tflite")} == named


def test_wrong_calls_are_one_line():
    with pytest.raises(ValueError, match="unknown model with weights 'simplecn_mnist': did you mean simplecnn_mnist"):
        artifact("simplecn_mnist")
    with pytest.raises(ValueError, match="simplecnn_mnist ships no onnx file"):
        artifact("simplecnn_mnist", "onnx")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    name = list_weights()[0]
    entry = read_manifest()[name]
    broken = manifest.Weights(entry.tag, tmp_path / entry.path.name, entry.sha256, entry.facts)
    (tmp_path / entry.facts["files"]["tflite-int8"]["file"]).write_bytes(b"short")
    monkeypatch.setattr("tinynets.deploy.shipped.read_manifest", lambda: {name: broken})
    with pytest.raises(RuntimeError, match="missing or damaged: reinstall tinynets"):
        artifact(name)
