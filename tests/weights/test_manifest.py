import hashlib
import json
import re
import shlex
import socket
from pathlib import Path

import pytest
import timm
import torch

import tinynets
from tinynets.engine import Normalize, evaluate, load_data
from tinynets.engine.recipes import recipe_from_dict
from tinynets.weights import Weights, check_weights, list_weights, manifest, read_manifest, read_weights
from tinynets_cli import build_parser
from tinynets_cli.options import recipe_of

PRETRAINED = list_weights()
CARDS = Path(__file__).parents[2] / "docs/models"


def test_every_artifact_is_in_the_manifest_and_every_entry_has_one():
    files = {path.name for path in manifest.ARTIFACTS.glob("*.safetensors")}
    assert files == {weights.path.name for weights in read_manifest().values()}
    assert PRETRAINED


@pytest.mark.parametrize("name", PRETRAINED)
def test_entries_say_what_the_weights_are(name):
    weights = read_manifest()[name]
    assert hashlib.sha256(weights.path.read_bytes()).hexdigest() == weights.sha256
    assert {"top1", "data", "params", "recipe", "seed", "command", "log", "versions"} <= set(weights.metadata)
    assert weights.metadata["params"] == tinynets.count_parameters(tinynets.create_model(name))
    log = json.loads(json.dumps(weights.metadata["log"]))
    epochs = weights.metadata["recipe"]["schedule"]["epochs"]
    if stopped := weights.metadata.get("stopped_after"):
        done, planned = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", stopped))
        assert log[-1]["epoch"] == done * epochs // planned < epochs
    else:
        assert log[-1]["epoch"] == epochs
    metadata = read_weights(weights.path)[1]
    assert metadata["model"] == name
    cfg = tinynets.create_model(name).pretrained_cfg
    assert (tuple(metadata["mean"]), tuple(metadata["std"])) == (cfg["mean"], cfg["std"])


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_command_has_the_recipe_and_the_start_of_the_weights(name):
    metadata = read_manifest()[name].metadata
    words = shlex.split(metadata["command"])
    args = build_parser().parse_args(words[words.index("tinynets") + 1 :])
    recipe = recipe_of(args, args.model, None, default="finetune" if args.init else "default")
    assert recipe == recipe_from_dict(metadata["recipe"])
    assert recipe.val_size == 0
    assert (args.model, args.init) == (name, metadata.get("started_from"))


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_model_has_a_card_with_its_figures(name):
    metadata = read_manifest()[name].metadata
    card = (CARDS / f"{name}.md").read_text(encoding="utf-8")
    assert f"| parameters | {metadata['params']:,} |" in card
    assert f"| none | {metadata['top1']:.2f} % |" in card
    assert metadata["sha256"] in card
    assert metadata["command"] in card
    pictures = re.findall(r"!\[.*\]\((.*)\)", card)
    assert len(pictures) == 3
    assert all((CARDS / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("name", PRETRAINED)
@pytest.mark.parametrize("create", [tinynets.create_model, timm.create_model])
def test_pretrained_works_without_a_network(name, create, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model = create(name, pretrained=True)
    state, _ = read_weights(read_manifest()[name].path)
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    tagged = create(name if "." in name else f"{name}.{read_manifest()[name].tag}", pretrained=True)
    assert torch.equal(tagged.head.fc.weight, model.head.fc.weight)


@pytest.mark.parametrize("name", PRETRAINED)
def test_pretrained_adapts_to_other_channels_and_classes(name):
    original = tinynets.create_model(name, pretrained=True)
    other = tinynets.create_model(name, pretrained=True, in_chans=3, num_classes=4)
    assert other.get_classifier().out_features == 4
    assert other.pretrained_cfg["first_conv"] == tinynets.create_model(name).pretrained_cfg["first_conv"]
    shared = [k for k in original.state_dict() if not k.startswith(("stem.0.conv", "head.fc"))]
    assert all(torch.equal(original.state_dict()[k], other.state_dict()[k]) for k in shared)
    gray = torch.randn(2, 1, *original.pretrained_cfg["input_size"][1:])
    if original.in_chans == 1:
        expected = original.eval().forward_features(gray)
        torch.testing.assert_close(
            other.eval().forward_features(gray.repeat(1, 3, 1, 1)), expected, rtol=1e-4, atol=1e-4
        )
    features = tinynets.create_model(name, pretrained=True, features_only=True)
    maps = features(torch.randn(1, *original.pretrained_cfg["input_size"]))
    assert [m.shape[1] for m in maps] == features.feature_info.channels()


def test_pretrained_with_another_shape_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"pretrained simplecnn_mnist does not fit the model: head\.hidden") as caught:
        tinynets.create_model("simplecnn_mnist", pretrained=True, img_size=32)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="does not fit the model"):
        tinynets.create_model("simplecnn_mnist", pretrained=True, width=2)


def test_damaged_or_missing_artifacts_are_found_out(tmp_path, monkeypatch):
    damaged = tmp_path / "w.safetensors"
    damaged.write_bytes(b"not the weights")
    for path in (damaged, tmp_path / "gone"):
        entry = Weights("v1", path, "0" * 64, {})
        monkeypatch.setattr(manifest, "read_manifest", lambda entry=entry: {"simplecnn_mnist": entry})
        with pytest.raises(RuntimeError, match="missing or damaged"):
            check_weights("simplecnn_mnist")
        with pytest.raises(RuntimeError, match="missing or damaged"):
            timm.create_model("simplecnn_mnist", pretrained=True)


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_manifests_accuracy_is_what_the_weights_reach(name, real_data):
    metadata = read_manifest()[name].metadata
    data = load_data(metadata["data"], real_data)
    model = tinynets.create_model(name, pretrained=True)
    normalize = Normalize(model.pretrained_cfg["mean"], model.pretrained_cfg["std"])
    result = evaluate(model, data.test_images, data.test_labels, normalize)
    assert result["top1"] == pytest.approx(metadata["top1"], abs=0.02)
