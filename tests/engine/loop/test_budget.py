"""A number of epochs that fits a time."""

import time

import pytest
import torch

import tinynets
from tinynets.engine import get_recipe, override, train, with_epochs
from tinynets.engine.loop import DistributedContext, budget

TEAM = DistributedContext(0, 1, torch.device("cpu"))


@pytest.fixture
def net():
    return tinynets.create_model("simplecnn_mnist", img_size=8, num_classes=3)


def fit(net, data, recipe, minutes):
    return budget.fit_epochs(net, data, recipe, TEAM, minutes, time.perf_counter())


def test_the_epochs_fit_and_the_schedule_is_scaled(net, tiny_data, monkeypatch):
    monkeypatch.setattr(budget, "_measure", lambda trial: (25 / trial.steps, 5.0))  # 30 s an epoch
    monkeypatch.setattr(budget, "_SHARE", 1.0)
    recipe = get_recipe("simplecnn_mnist", "digits")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    # 9 images validate in 5 s, so 48 images take 27 s to test, and both weights 53 s
    for minutes, epochs in ((10, 18), (1.5, 1), (1000, 10 * recipe.schedule.epochs)):
        fitted = fit(net, tiny_data, recipe, minutes)
        assert fitted.schedule.epochs == epochs
        assert fitted.schedule.warmup_epochs == pytest.approx(epochs / 10)
    at_least_30 = override(recipe, {"schedule.min_steps": 30 * (87 // recipe.batch_size)})
    assert [fit(net, tiny_data, at_least_30, minutes).schedule.epochs for minutes in (10, 1000)] == [18, 300]
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_too_short_a_time_is_refused(net, tiny_data, monkeypatch, tmp_path):
    monkeypatch.setattr(budget, "_measure", lambda trial: (100 / trial.steps, 20.0))
    with pytest.raises(
        ValueError, match=r"1 minutes \(--minutes\) are too short: .* about \d min here; set at least [\d.]+$"
    ):
        train("simplecnn_mnist", tiny_data, get_recipe("simplecnn_mnist", "digits"), tmp_path / "run", minutes=1)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match=r"minutes \(--minutes\) must be above 0, got -1"):
        fit(net, tiny_data, get_recipe("simplecnn_mnist", "digits"), -1)


def test_steps_are_measured_and_the_run_is_that_of_so_many_epochs(tiny_data, tmp_path, monkeypatch):
    measured, real = [], budget._measure

    def measure(trial):
        measured.extend(real(trial))
        assert trial.step == budget._STEPS
        return 1e-9, 1e-9

    monkeypatch.setattr(budget, "_measure", measure)
    recipe = with_epochs(get_recipe("simplecnn_mnist", "digits"), 1)
    summary = train("simplecnn_mnist", tiny_data, recipe, tmp_path / "run", minutes=10)
    assert len(measured) == 2
    assert min(measured) > 0
    assert summary["recipe"]["schedule"]["epochs"] == 10
    plain = train("simplecnn_mnist", tiny_data, with_epochs(recipe, 10), tmp_path / "plain")
    assert plain["last"]["train_loss"] == summary["last"]["train_loss"]
    with pytest.raises(ValueError, match=r"have no effect on the resumed run in .*: set epochs"):
        train("simplecnn_mnist", tiny_data, recipe, tmp_path / "run", resume=True, minutes=5)
