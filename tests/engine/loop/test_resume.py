"""A run that is killed and resumed ends bit for bit as one that never stopped."""

import dataclasses
import json
import os
import random
import signal
import time

import pytest
import torch
from support import EVERYTHING, QUICK, forkserver, rows_of, train_everything

from tinynets.engine import load_checkpoint, override, read_metrics, train, with_epochs
from tinynets.engine.loop import Run
from tinynets.engine.record import RunDir
from tinynets.weights import read_weights


def weights(out):
    return {which: read_weights(out / f"{which}.safetensors")[0] for which in ("last", "best")}


def assert_same_run(one, other):
    for which, state in weights(one).items():
        again = weights(other)[which]
        assert state.keys() == again.keys()
        assert all(torch.equal(tensor, again[name]) for name, tensor in state.items())
    assert rows_of(one) == rows_of(other)
    figures = [json.loads((out / "summary.json").read_text()) for out in (one, other)]
    for which in ("last", "best"):
        first, second = ({k: v for k, v in f[which].items() if k != "seconds"} for f in figures)
        assert first == second


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_sigkill_at_random_moments(tiny_data, tmp_path, kills):
    recipe = override(EVERYTHING, {"schedule.epochs": 4 * kills})
    started = time.perf_counter()
    train_everything(tiny_data, tmp_path / "whole", recipe=recipe)
    longest = (time.perf_counter() - started) / (4 * kills)  # all kills together leave most of the run
    context = forkserver()
    context.Process(target=print).start()  # starts the server
    moments = random.Random(kills)
    steps = []
    while not (tmp_path / "killed/summary.json").exists():
        child = context.Process(target=train_everything, args=(tiny_data, tmp_path / "killed", True, recipe))
        saved = tmp_path / "killed/state.pt"
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        child.start()
        if len(steps) < kills:
            while child.is_alive() and (not saved.exists() or saved.stat().st_mtime_ns == before):
                child.join(0.01)  # however long the start takes
            child.join(moments.uniform(0, longest))
            child.kill()
            child.join()
            assert child.exitcode in (0, -signal.SIGKILL)
            if child.exitcode:
                steps.append(RunDir(tmp_path / "killed").state()["run"]["step"])
        else:
            child.join()
            assert child.exitcode == 0
    assert len(steps) == kills
    assert len(set(steps)) > kills // 4  # there was progress in between
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


@pytest.fixture
def _ctrl_c_is_heard():
    """A program that was started in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_saves_and_reports_it(tiny_data, tmp_path):
    recipe = with_epochs(EVERYTHING, 4)
    train_everything(tiny_data, tmp_path / "whole", recipe=recipe)
    real, calls, handler = Run._train_step, [], signal.getsignal(signal.SIGINT)

    def interrupted(self, rows):
        real(self, rows)
        calls.append(self.step)
        if len(calls) == 13:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "_train_step", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"1 epoch and 4 steps are saved in .*: continue with --resume"):
            train_everything(tiny_data, tmp_path / "stopped", recipe=recipe)
    assert signal.getsignal(signal.SIGINT) is handler
    train_everything(tiny_data, tmp_path / "stopped", recipe=recipe)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_finished_run_is_not_touched(tiny_data, tmp_path):
    summary = train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True)
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.safetensors")}
    time.sleep(0.01)
    assert train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True) == json.loads(json.dumps(summary))
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.safetensors")} == before


def test_killed_before_the_summary_it_is_written_again(tiny_data, tmp_path):
    summary = train("simplecnn_mnist", tiny_data, QUICK, tmp_path)
    (tmp_path / "summary.json").unlink()
    again = train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True)
    assert again["last"] == summary["last"]
    assert again["train_seconds"] > sum(
        row["seconds"] for row in read_metrics(tmp_path)
    )  # includes the time before the resume


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer.lr": 0.02}, r"has optimizer\.lr 0\.01, not 0\.02"),
        ({"schedule.epochs": 2}, r"has schedule\.epochs 3, not 2"),
        ({"seed": 1}, "has seed 0, not 1"),
    ],
)
def test_another_recipe_is_refused_by_the_fields_name(tiny_data, tmp_path, change, message):
    train("simplecnn_mnist", tiny_data, QUICK, tmp_path)
    with pytest.raises(ValueError, match=message):
        train("simplecnn_mnist", tiny_data, override(QUICK, change), tmp_path, resume=True)


def test_another_model_or_changed_data_are_refused(tiny_data, tmp_path):
    train("simplecnn_mnist", tiny_data, QUICK, tmp_path)
    with pytest.raises(ValueError, match="the run trains simplecnn_mnist, not c1c2c3c4o_cifar10"):
        train("c1c2c3c4o_cifar10", tiny_data, QUICK, tmp_path, resume=True)
    with pytest.raises(ValueError, match="has model_args"):
        train("simplecnn_mnist", tiny_data, QUICK, tmp_path, model_args={"width": 2.0}, resume=True)
    changed = dataclasses.replace(tiny_data, train_images=tiny_data.train_images.clone())
    changed.train_images[5, 0, 1, 1] ^= 1
    with pytest.raises(ValueError, match=r"stripes has changed since the run in .* began"):
        train("simplecnn_mnist", changed, QUICK, tmp_path, resume=True)
    assert load_checkpoint(tmp_path / "last.safetensors")[1].results["epoch"] == 3
