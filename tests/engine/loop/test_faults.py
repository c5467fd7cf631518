"""Failures are one-line errors, and the state saved before them loads."""

import contextlib
import dataclasses
import subprocess
import threading

import pytest
import torch
from support import QUICK

from tinynets.engine import Optimizer, load_checkpoint, override, train
from tinynets.engine.loop import Run
from tinynets.engine.record import RunDir


def state_of(out):
    return RunDir(out).state()


class Evil:
    """Opens a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("fail_at", [3, 7, 13])
def test_a_non_finite_loss_stops_the_run_and_names_the_step(tiny_data, tmp_path, fail_at):
    """72 training images, batches of 16: 4 steps an epoch."""
    epoch, step = divmod(fail_at - 1, 4)
    recipe = override(QUICK, {"schedule.epochs": 5})
    message = rf"the loss was not finite in epoch {epoch + 1}, step {step + 1} of 4, .*: lower optimizer\.lr or set"
    with pytest.raises(FloatingPointError, match=message):
        train("groupnorm_net", tiny_data, recipe, tmp_path, model_args={"fail_at": fail_at}, save_seconds=0)
    state = state_of(tmp_path)
    assert state["run"]["step"] == fail_at - 1
    assert all(tensor.isfinite().all() for tensor in state["run"]["model"].values())
    if epoch:
        model, metadata = load_checkpoint(tmp_path / "last.safetensors")
        assert metadata.results["epoch"] == epoch
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    else:
        assert not (tmp_path / "last.safetensors").exists()


def test_with_delayed_loss_checks_no_non_finite_state_is_saved(tiny_data, tmp_path, monkeypatch):
    """As on a GPU: the step that failed is named, and the state on the disk is from before it."""
    real = Run.__init__

    def build(self, *args):
        real(self, *args)
        self.checks_every_loss = False

    monkeypatch.setattr(Run, "__init__", build)
    for save_seconds in (0, 60):
        out = tmp_path / str(save_seconds)
        with pytest.raises(FloatingPointError, match="not finite in epoch 2, step 3 of 4"):
            train("groupnorm_net", tiny_data, QUICK, out, model_args={"fail_at": 7}, save_seconds=save_seconds)
        state = state_of(out)
        assert state["run"]["step"] == (6 if save_seconds == 0 else 4)
        assert all(tensor.isfinite().all() for tensor in state["run"]["model"].values())


def test_a_diverging_learning_rate(tiny_data, tmp_path):
    recipe = dataclasses.replace(QUICK, optimizer=Optimizer("sgd", lr=1e30))
    with pytest.raises(FloatingPointError, match="the loss was not finite in epoch 1"):
        train("simplecnn_mnist", tiny_data, recipe, tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk(tiny_data, small_disk):
    run = small_disk / "run"
    recipe = override(QUICK, {"schedule.epochs": 6, "ema_decay": 0.9})
    kwargs = {"model_args": {"width": 0.5}, "save_seconds": 0}
    whole = train("c1c2c3c4o_cifar10", tiny_data, recipe, small_disk.parent / "whole", **kwargs)

    filler = small_disk / "filler"
    real = RunDir.save_state

    def fill_after_two_epochs(self, state):
        real(self, state)
        if len(state["history"]) == 2:
            with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1024))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDir, "save_state", fill_after_two_epochs)
        with pytest.raises(
            OSError, match=r"could not write .*state\.pt \(No space left on device\).* is intact"
        ) as caught:
            train("c1c2c3c4o_cifar10", tiny_data, recipe, run, **kwargs)
    assert "\n" not in str(caught.value)
    assert load_checkpoint(run / "last.safetensors")[1].results["epoch"] == 2
    assert state_of(run)["run"]["step"] == 8
    filler.unlink()
    resumed = train("c1c2c3c4o_cifar10", tiny_data, recipe, run, resume=True, **kwargs)
    assert {**resumed["last"], "seconds": 0} == {**whole["last"], "seconds": 0}


def test_a_full_disk_as_the_writer_sees_it(tmp_path, monkeypatch):
    """The same without a disk: no partial file stays behind, what was there is intact."""
    import errno
    import os

    from tinynets._files import write_file

    write_file(tmp_path / "x", "before")

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"could not write .*x \(No space left on device\); its previous content is intact"
    ):
        write_file(tmp_path / "x", "after")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "before"


def test_a_truncated_state_is_refused(tiny_data, tmp_path):
    train("simplecnn_mnist", tiny_data, QUICK, tmp_path)
    path = tmp_path / "state.pt"
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"state\.pt is not readable .*: it may be truncated") as caught:
            train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True)
        assert "\n" not in str(caught.value)


def test_a_malicious_state_is_not_executed(tiny_data, tmp_path):
    train("simplecnn_mnist", tiny_data, QUICK, tmp_path / "run")
    for evil in ({"run": Evil(tmp_path / "owned")}, Evil(tmp_path / "owned")):
        torch.save(evil, tmp_path / "run/state.pt")
        with pytest.raises(ValueError, match=r"more than tensors and plain values \(nothing was executed\)"):
            train("simplecnn_mnist", tiny_data, QUICK, tmp_path / "run", resume=True)
    assert not (tmp_path / "owned").exists()
    assert load_checkpoint(tmp_path / "run/last.safetensors")[1].results["epoch"] == 3


def test_a_foreign_state_is_refused(tiny_data, tmp_path):
    torch.save({"model": {}}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="is not the state of a run"):
        train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True)


def test_two_runs_in_one_directory(tiny_data, tmp_path):
    with RunDir(tmp_path).claim(resume=False):
        caught = []

        def other():
            try:
                train("simplecnn_mnist", tiny_data, QUICK, tmp_path, resume=True)
            except RuntimeError as error:
                caught.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert caught == [f"another process is training in {tmp_path}: choose another directory"]


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        (
            "simplecnn_mnist",
            {"recursion.depth_warmup_epochs": 1},
            r"recursion\.depth_warmup_epochs .* SimpleCNN has none",
        ),
        ("simplecnn_mnist", {"recursion.tau_end": 0.1}, r"recursion\.tau_end .* SimpleCNN has none"),
        (
            "simplecnn_mnist",
            {"distill.teacher": "simplecnn_mnist"},
            r"distill\.teacher simplecnn_mnist expects 1-channel",
        ),
        ("simplecnn_mnist", {"distill.teacher": "resnet"}, "unknown model or checkpoint 'resnet'"),
        ("simplecnn_mnist", {"distill.teacher": "gone.safetensors"}, "no weights file at gone"),
        ("egrr_cifra100", {}, "unknown model 'egrr_cifra100': did you mean egrr_cifar100"),
    ],
)
def test_what_does_not_fit_leaves_no_directory(tiny_data, tmp_path, model, change, message):
    with pytest.raises((ValueError, FileNotFoundError, RuntimeError), match=message):
        train(model, tiny_data, override(QUICK, change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teacher_without_weights_is_refused(tiny_data, tmp_path, unshipped):
    with pytest.raises(ValueError, match=f"{unshipped} ships no pretrained weights"):
        train("simplecnn_mnist", tiny_data, override(QUICK, {"distill.teacher": unshipped}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
