import dataclasses
import json

import pytest
import torch
from support import EGRR_ARGS, QUICK, rows_of

from tinynets.engine import (
    Normalize,
    Schedule,
    evaluate,
    get_recipe,
    load_checkpoint,
    load_data,
    override,
    train,
    with_epochs,
)


def test_a_run_writes_all_files(tiny_data, tmp_path):
    summary = train("c1c2c3c4o_cifar10", tiny_data, QUICK, tmp_path / "run")
    out = tmp_path / "run"
    assert sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) == [
        "best.safetensors",
        "last.safetensors",
        "metrics.csv",
        "recipe.json",
        "state.pt",
        "summary.json",
    ]
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert json.loads((out / "recipe.json").read_text()) == QUICK.to_dict()
    rows = rows_of(out)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(0 <= float(row["val_top1"]) <= 100 for row in rows)
    assert (summary["train_images"], summary["val_images"]) == (72, 24)
    assert summary["model_args"] == {"num_classes": 3, "in_chans": 1}
    assert summary["last"]["epoch"] == 3
    best = max(rows, key=lambda row: float(row["val_top1"]))
    assert summary["best"]["val_top1"] >= float(best["val_top1"])  # above it if batch norm statistics were recomputed


def test_every_model_learns(name, tiny_data, tmp_path):
    model_args = {
        "egrr_cifar100": EGRR_ARGS,
        "ecnet_cifar10": {"channels": 8},
    }.get(name, {})
    recipe = dataclasses.replace(QUICK, schedule=Schedule(epochs=8, warmup_epochs=1), ema_decay=0.5)
    summary = train(name, tiny_data, recipe, tmp_path, model_args=model_args)
    rows = rows_of(tmp_path)
    assert float(rows[-1]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    assert summary["last"]["test_top1"] > 90


def test_saved_weights_are_the_ones_that_were_measured(tiny_data, tmp_path):
    # with these labels the first epoch is the best
    data = dataclasses.replace(tiny_data, val_images=tiny_data.test_images, val_labels=(tiny_data.test_labels + 1) % 3)
    summary = train("simplecnn_mnist", data, override(QUICK, {"ema_decay": 0.9, "optimizer.lr": 1e-3}), tmp_path)
    assert summary["best"]["epoch"] < summary["last"]["epoch"]
    normalize = Normalize(tiny_data.mean, tiny_data.std)
    for which in ("last", "best"):
        model, checkpoint = load_checkpoint(tmp_path / f"{which}.safetensors")
        result = evaluate(model, tiny_data.test_images, tiny_data.test_labels, normalize)
        assert result["top1"] == summary[which]["test_top1"]
        assert result["loss"] == pytest.approx(summary[which]["test_loss"])
        validated = evaluate(model, data.val_images, data.val_labels, normalize)
        assert validated["loss"] == pytest.approx(checkpoint.results["val_loss"])
        assert checkpoint.results["epoch"] == summary[which]["epoch"]
        assert checkpoint.class_names == ("top", "left", "dark")


def test_the_seed_decides_everything(tiny_data, tmp_path):
    def losses(seed, out):
        train("simplecnn_mnist", tiny_data, dataclasses.replace(QUICK, seed=seed), out)
        return [row["train_loss"] for row in rows_of(out)]

    first = losses(1, tmp_path / "a")
    assert losses(1, tmp_path / "b") == first
    assert losses(2, tmp_path / "c") != first


def test_the_learning_rate_warms_up_and_falls_to_the_minimum(tiny_data, tmp_path):
    schedule = Schedule(epochs=4, warmup_epochs=1, min_lr=1e-5)
    train("simplecnn_mnist", tiny_data, dataclasses.replace(QUICK, schedule=schedule), tmp_path)
    lrs = [float(row["lr"]) for row in rows_of(tmp_path)]  # at each epoch's last step
    assert lrs[0] == pytest.approx(QUICK.optimizer.lr, rel=0.3)
    assert lrs[1] > lrs[2] > lrs[3]
    assert lrs[3] < 0.2 * QUICK.optimizer.lr


def test_a_longer_cosine_is_cut_short(tiny_data, tmp_path):
    schedule = Schedule(epochs=1, warmup_epochs=0, cosine_epochs=5)
    train("simplecnn_mnist", tiny_data, dataclasses.replace(QUICK, schedule=schedule), tmp_path)
    (row,) = rows_of(tmp_path)
    assert 0.85 * QUICK.optimizer.lr < float(row["lr"]) < QUICK.optimizer.lr


def test_without_validation_images(tiny_data, tmp_path):
    summary = train("simplecnn_mnist", tiny_data, dataclasses.replace(QUICK, val_size=0.0), tmp_path)
    assert (summary["train_images"], summary["val_images"]) == (96, 0)
    assert "val_top1" not in rows_of(tmp_path)[0]
    assert summary["best"]["epoch"] == summary["last"]["epoch"] == 3


def test_a_directory_that_contains_a_run_is_refused(tiny_data, tmp_path):
    (tmp_path / "metrics.csv").write_text("precious")
    with pytest.raises(FileExistsError, match=r"already contains a run \(metrics\.csv\)"):
        train("simplecnn_mnist", tiny_data, QUICK, tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == "precious"


def test_a_batch_larger_than_the_data(tiny_data, tmp_path, caplog):
    large = dataclasses.replace(QUICK, batch_size=1000)
    with caplog.at_level("INFO", "tinynets"):
        summary = train("simplecnn_mnist", tiny_data, large, tmp_path)
    assert "batch size 72 instead of 1000, which is larger than the training set" in caplog.messages
    assert summary["recipe"]["batch_size"] == 72
    longer = train("simplecnn_mnist", tiny_data, with_epochs(large, 4), tmp_path, resume=True)
    assert longer["last"]["epoch"] == 4


def test_too_few_images(tiny_data, tmp_path):
    few = dataclasses.replace(
        tiny_data, train_images=tiny_data.train_images[:7], train_labels=tiny_data.train_labels[:7]
    )
    with pytest.raises(ValueError, match="the training set has only 7 images: add images, training needs 8"):
        train("simplecnn_mnist", few, dataclasses.replace(QUICK, val_size=0.0), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_published_recipe_on_real_mnist(real_data, tmp_path):
    torch.set_num_threads(2)
    summary = train(
        "simplecnn_mnist", load_data("mnist", real_data), get_recipe("simplecnn_mnist", "original"), tmp_path
    )
    assert summary["last"]["test_top1"] >= 98.0
