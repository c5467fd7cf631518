"""Extended runs, and recomputed statistics of lagging batch norms."""

import json

import pytest
import torch
from support import QUICK, rows_of

from tinynets.engine import load_checkpoint, override, read_recipe, train, with_epochs
from tinynets.engine.loop.batch_norm import update_lagging_bn


@pytest.mark.parametrize("change", [with_epochs, lambda recipe, n: override(recipe, {"schedule.epochs": n})])
def test_a_finished_run_is_extended(tiny_data, tmp_path, capsys, change):
    recipe = override(QUICK, {"ema_decay": 0.5, "mixing.mixup": 0.3})
    train("simplecnn_mnist", tiny_data, recipe, tmp_path)
    capsys.readouterr()
    longer = change(recipe, 6)
    summary = train("simplecnn_mnist", tiny_data, longer, tmp_path, resume=True)
    rows = rows_of(tmp_path)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[3]["lr"] > 10 * rows[2]["lr"]
    assert rows[5]["lr"] < rows[4]["lr"] < rows[3]["lr"] < QUICK.optimizer.lr
    err = capsys.readouterr().err
    assert (
        "resumes at epoch 3 of 3, extended to 6: weights, moving average, optimizer, metrics, best weights and random"
        in err
    )
    assert "the schedule is that of 6 epochs, with a learning rate of" in err
    assert read_recipe(tmp_path / "recipe.json") == longer
    assert json.loads((tmp_path / "summary.json").read_text())["recipe"]["schedule"]["epochs"] == 6
    assert train("simplecnn_mnist", tiny_data, longer, tmp_path, resume=True)["last"] == summary["last"]
    with pytest.raises(ValueError, match=r"has schedule\.epochs 6, not 3"):
        train("simplecnn_mnist", tiny_data, recipe, tmp_path, resume=True)


def test_few_images_get_more_epochs_also_when_resumed(tiny_data, tmp_path, caplog):
    recipe = override(QUICK, {"schedule": {"epochs": 2, "min_steps": 18}})
    with caplog.at_level("INFO", "tinynets"):
        summary = train("groupnorm_net", tiny_data, recipe, tmp_path)
    epochs = summary["last"]["epoch"]
    assert epochs == len(rows_of(tmp_path)) > 2
    assert f"{epochs} epochs instead of 2, which would be" in caplog.text
    for same in (recipe, with_epochs(recipe, epochs)):
        assert train("groupnorm_net", tiny_data, same, tmp_path, resume=True)["last"] == summary["last"]


def test_an_early_stopped_run_is_extended(tiny_data, tmp_path):
    recipe = override(QUICK, {"schedule.epochs": 8, "schedule.patience": 1, "optimizer.lr": 1e-12})
    stopped = train("groupnorm_net", tiny_data, recipe, tmp_path)["last"]["epoch"]
    assert stopped < 8
    longer = train("groupnorm_net", tiny_data, with_epochs(recipe, 20), tmp_path, resume=True)
    assert longer["last"]["epoch"] == stopped + 1


def test_lagging_norms_are_recomputed_with_a_warning(tiny_data, tmp_path, caplog):
    recipe = override(QUICK, {"optimizer.lr": 0.02, "schedule.epochs": 2, "augment.pad": 0})
    summary = train("optimized200k_cifar10", tiny_data, recipe, tmp_path)
    assert summary["norms_estimated"] is True
    assert "the running statistics of the batch norms lagged behind the weights and were recomputed" in caplog.text
    assert summary["last"]["val_top1"] > rows_of(tmp_path)[-1]["val_top1"]
    assert summary["best"]["val_top1"] >= summary["last"]["val_top1"]


def test_norms_that_do_not_lag_are_unchanged(tiny_data, tmp_path):
    recipe = override(QUICK, {"schedule.epochs": 12})
    assert "norms_estimated" not in train("c1c2c3c4o_cifar10", tiny_data, recipe, tmp_path)
    model, metadata = load_checkpoint(tmp_path / "last.safetensors")
    from tinynets.engine import Normalize

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    normalize = Normalize(metadata.mean, metadata.std)
    assert update_lagging_bn(model, tiny_data.train_images, tiny_data.train_labels, normalize, 16) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not model.training
