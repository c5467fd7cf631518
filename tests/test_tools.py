"""The maintainers' tools, on runs of the embedded data."""

import csv
import json
import math
import re
import shutil
import sys

import pytest
import torch
from support import load_tool

from tinynets.engine import (
    Normalize,
    get_recipe,
    load_data,
    load_trained,
    override,
    predict,
    read_metrics,
    train,
    with_epochs,
)
from tinynets.engine.evaluation import metrics
from tinynets.weights import Weights, read_weights


def call(tool, monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["tool", *map(str, argv)])
    tool.main()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two runs that differ in the seed, and one that differs in more."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = override(with_epochs(get_recipe("simplecnn_mnist", "digits"), 2), {"val_size": 0.8})
    for name, values in {"a": {}, "b": {"seed": 1}, "c": {"seed": 2, "optimizer.lr": 0.01}}.items():
        train("simplecnn_mnist", load_data("digits"), override(recipe, values), folder / name)
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of them."""
    return shutil.copytree(trained, tmp_path / "runs")


@pytest.fixture
def shipped(runs, monkeypatch):
    """What ship_weights makes of the runs: a manifest of its own."""
    tool = load_tool("ship_weights")
    monkeypatch.setattr(tool, "ARTIFACTS", runs)
    (runs / "manifest.json").write_text("{}")
    call(tool, monkeypatch, runs / "a", runs / "b", "--tag", "v7", "--command", "tinynets train")
    return json.loads((runs / "manifest.json").read_text())["simplecnn_mnist"]


def test_shipping_takes_the_first_runs_last_weights_and_every_seeds_figure(runs, shipped):
    summaries = [json.loads((runs / run / "summary.json").read_text()) for run in "ab"]
    assert shipped["top1"] == summaries[0]["last"]["test_top1"]
    assert shipped["seeds"] == {"0": shipped["top1"], "1": summaries[1]["last"]["test_top1"]}
    state, metadata = read_weights(runs / shipped["file"])
    last, _ = read_weights(runs / "a/last.safetensors")
    assert all((state[name] == last[name]).all() for name in last)
    assert (metadata["model"], metadata["data_source"]) == ("simplecnn_mnist", None)
    assert [row["epoch"] for row in shipped["log"]] == [1, 2]


def test_a_temperature_changes_probabilities_and_no_prediction(runs, monkeypatch, capsys):
    digits, before = load_data("digits"), load_trained(str(runs / "a"))
    x = digits.test_images.float() / 255
    call(load_tool("fold_temperature"), monkeypatch, runs / "a")
    after, summary = load_trained(str(runs / "a")), json.loads((runs / "a/summary.json").read_text())
    temperature = summary["temperature"]
    assert f"temperature {temperature:.4f}: calibration error" in capsys.readouterr().out
    torch.testing.assert_close(after.model(x), before.model(x) / temperature)
    logits = predict(after.model, digits.test_images, Normalize(digits.mean, digits.std))
    assert summary["last"]["test_loss"] == pytest.approx(metrics(logits, digits.test_labels)["loss"], abs=1e-4)
    call(load_tool("fold_temperature"), monkeypatch, runs / "a")
    again = json.loads((runs / "a/summary.json").read_text())["temperature"]
    assert again == pytest.approx(temperature, rel=3e-3)  # the second is 1


def test_weights_in_half_precision_are_evaluated_again(runs, monkeypatch):
    path, summary_path = runs / "a/last.safetensors", runs / "a/summary.json"
    size, (before, _) = path.stat().st_size, read_weights(path)
    summary = json.loads(summary_path.read_text())
    summary["last"] |= {"test_top1": 0.0, "test_loss": 9.0}
    summary_path.write_text(json.dumps(summary))
    call(load_tool("halve_weights"), monkeypatch, runs / "a")
    after, digits, trained = read_weights(path)[0], load_data("digits"), load_trained(str(runs / "a"))
    assert after.keys() == before.keys()
    assert path.stat().st_size < size
    assert all(torch.equal(after[name], t.half() if t.dim() > 1 else t) for name, t in before.items())
    assert {torch.float16, torch.float32} < {t.dtype for t in after.values()}
    assert all(t.dtype == torch.float32 for t in trained.model.parameters())
    logits = predict(trained.model, digits.test_images, Normalize(digits.mean, digits.std))
    measured, last = metrics(logits, digits.test_labels), json.loads(summary_path.read_text())["last"]
    assert (last["test_top1"], last["test_loss"]) == pytest.approx((measured["top1"], measured["loss"]))


def test_the_temperature_minimizes_the_cross_entropy():
    labels = torch.arange(4000) % 2
    labels[:1000] = 1 - labels[:1000]  # a quarter of the labels contradict the logits: log 3 would be calibrated
    logits = 4.4 * torch.nn.functional.one_hot(torch.arange(4000) % 2, 2).float()
    assert load_tool("fold_temperature").fit_temperature(logits, labels) == pytest.approx(4.4 / math.log(3), rel=2e-3)


def test_shipping_refuses_runs_of_other_recipes(runs, shipped, monkeypatch):
    tool = load_tool("ship_weights")
    monkeypatch.setattr(tool, "ARTIFACTS", runs)
    with pytest.raises(SystemExit, match="differ in nothing but the seed"):
        call(tool, monkeypatch, runs / "a", runs / "c", "--tag", "v8", "--command", "tinynets train")
    assert not (runs / "simplecnn_mnist-v8.safetensors").exists()


def test_shipping_removes_the_weights_before(runs, shipped, monkeypatch):
    tool = load_tool("ship_weights")
    monkeypatch.setattr(tool, "ARTIFACTS", runs)
    (runs / "simplecnn_mnist-v7-int8.tflite").touch()
    shipped["files"] = {"tflite-int8": {"file": "simplecnn_mnist-v7-int8.tflite"}}
    (runs / "manifest.json").write_text(json.dumps({"simplecnn_mnist": shipped}))
    for _ in range(2):
        call(tool, monkeypatch, runs / "b", "--tag", "v8", "--command", "tinynets train")
    manifest = json.loads((runs / "manifest.json").read_text())
    assert manifest["simplecnn_mnist"]["seeds"] == {"1": manifest["simplecnn_mnist"]["top1"]}
    assert [path.name for path in runs.glob("simplecnn_mnist-*")] == ["simplecnn_mnist-v8.safetensors"]


def test_a_card_has_the_manifests_figures_every_form_and_the_ablation(runs, shipped, monkeypatch):
    tool = load_tool("model_card")
    entry = Weights("v7", runs / shipped["file"], shipped["sha256"], shipped)
    monkeypatch.setattr(tool, "read_manifest", lambda: {"simplecnn_mnist": entry})
    monkeypatch.setattr(tool, "load_trained", lambda name: load_trained(entry.path))
    monkeypatch.setattr(tool, "CARDS", runs)
    monkeypatch.setattr(tool, "ABLATIONS", runs)
    measured = {
        "change": "Other",
        "params": 1000,
        "macs": 2_000_000,
        "shape": "width 0.5",
        "epochs": 4,
        "pixels": "16 to 32",
        "val_loss": 1,
        "shift_consistency": 90,
    }
    with (runs / "ablation_simplecnn_mnist.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["variant", "val_top1", *measured])
        table.writeheader()
        for variant, top1 in (("own", 50), ("own", 60), ("other", 40)):
            table.writerow({"variant": variant, "val_top1": top1, **measured})
    card = runs / "simplecnn_mnist.md"
    card.write_text("before\n\n<!-- figures -->\n\nold\n\n<!-- end of figures -->\n\nafter\n")
    call(tool, monkeypatch, "simplecnn_mnist")
    text = card.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
    top1 = f"{shipped['top1']:.2f} %"
    assert f"| none | {top1} |" in text
    plain, fused = re.findall(r"\| (?:as trained|fused) \| ([\d.]+) % \| ([\d.]+) \|", text)
    assert plain == fused
    assert "hard gates" not in text
    assert re.search(r"Shift consistency: [\d.]+ %", text)
    assert "in short runs (width 0.5, 4 epochs, 16 to 32 pixels;" in text
    assert "| own | Other | 1,000 | 2.0 M | 2 | 55.00 % | 1.000 | 90.00 % |" in text
    assert "| other | Other | 1,000 | 2.0 M | 1 | 40.00 % | 1.000 | 90.00 % |" in text


def test_a_log_repeats_and_a_changed_one_does_not(runs, shipped, monkeypatch):
    tool = load_tool("repeat_log")
    entry = Weights("v7", runs / shipped["file"], shipped["sha256"], shipped)
    monkeypatch.setattr(tool, "read_manifest", lambda: {"simplecnn_mnist": entry})
    with pytest.raises(SystemExit) as done:
        call(tool, monkeypatch, "simplecnn_mnist", "--epochs", 2)
    assert done.value.code is None
    shipped["log"][1]["train_loss"] *= 1 + 1e-9
    with pytest.raises(SystemExit, match="does not repeat"):
        call(tool, monkeypatch, "simplecnn_mnist", "--epochs", 2)


def test_the_log_of_a_distilled_run_that_continues_others_weights_repeats(runs, monkeypatch):
    digits, out = load_data("digits"), runs / "training"
    values = {"val_size": 0.8, "distill.teacher": str(runs / "b"), "distill.views": 2}
    recipe = override(with_epochs(get_recipe("simplecnn_mnist", "digits"), 2), values)
    summary = train("simplecnn_mnist", digits, recipe, out, init=runs / "a")
    metadata = summary | {"started_from": "a/last.safetensors", "log": read_metrics(out)}
    shutil.rmtree(runs / "b")  # the logits are enough
    tool = load_tool("repeat_log")
    monkeypatch.setattr(tool, "ROOT", runs)
    monkeypatch.setattr(tool, "read_manifest", lambda: {"simplecnn_mnist": Weights("v7", out, "", metadata)})
    with pytest.raises(SystemExit) as done:
        call(tool, monkeypatch, "simplecnn_mnist")
    assert done.value.code is None
