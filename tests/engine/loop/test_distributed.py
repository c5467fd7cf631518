"""Several processes train one model, on the CPU with gloo."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from several_processes import start, train_stripes
from support import QUICK, rows_of

from tinynets.engine import override
from tinynets.engine.loop import DistributedContext, Run, model_for_data


def torchrun(*command, processes=2):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run([*launcher, *map(str, command)], capture_output=True, text=True, timeout=240)


def losses_of(path):
    """The loss of every step, from its sums over epochs of two steps."""
    sums = [float(line) for line in path.read_text().splitlines()]
    return [
        later - earlier
        for start in range(0, len(sums), 2)
        for earlier, later in ((0.0, sums[start]), sums[start : start + 2])
    ]


def test_two_processes_match_one_at_the_same_global_batch(tmp_path):
    """Each of 20 steps has the same loss within 1e-5, a Ctrl-C and a resume on the way, with two processes or only one.

    The norms of the model see one image at a time.
    """
    threads = torch.get_num_threads()
    train_stripes(tmp_path / "one")
    codes, said = start(tmp_path / "two", stop=True)
    assert (codes[0], "3 epochs and 1 step are saved" in said) == (130, True)
    shutil.copytree(tmp_path / "two", tmp_path / "fewer")
    codes, said = start(tmp_path / "two", resume=True)
    assert codes == [0, 0], said
    assert said.count("epoch 10/10") == 1  # only one process logs
    assert "epoch  3/10" not in said
    train_stripes(tmp_path / "fewer", resume=True)
    torch.set_num_threads(threads)
    one, two, changed = (rows_of(tmp_path / name) for name in ("one", "two", "fewer"))
    assert len(one) == 10
    for first, *others in zip(one, two, changed, strict=True):
        for other in others:
            assert first["train_loss"] == pytest.approx(other["train_loss"], abs=1e-5)
            assert first["train_top1"] == pytest.approx(other["train_top1"])
    losses = [losses_of(tmp_path / f"{name}.losses") for name in ("one", "two")]
    assert len(losses[0]) == 20
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("one", "two")]
    assert [s["processes"] for s in summaries] == [1, 2]
    assert summaries[0]["last"]["test_loss"] == pytest.approx(summaries[1]["last"]["test_loss"], abs=1e-4)


@pytest.mark.slow
def test_egrr_with_depth_warm_up_from_the_command_line(tmp_path):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=np.arange(32) % 4, x_test=images, y_test=np.arange(32) % 4)
    command = ["-m", "tinynets", "train", "egrr_cifar100", "--data", tmp_path / "x.npz", "--out", tmp_path / "run"]
    settings = ["--epochs", 3, "--set", "recursion.depth_warmup_epochs=2", "--batch-size", 8, "--val-size", 0]
    done = torchrun(*command, *settings, "--model-kwargs", "width=0.25", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)  # printed once
    assert summary["processes"] == 2
    assert len(rows_of(tmp_path / "run")) == 3


def test_local_slices_cover_the_batch():
    parts = [DistributedContext(rank, 3, torch.device("cpu")).local_slice(12) for rank in range(3)]
    assert [list(range(12)[part]) for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_an_indivisible_batch_size_is_refused(tiny_data):
    distributed = DistributedContext(0, 2, torch.device("cpu"))
    recipe = override(QUICK, {"batch_size": 15})
    model, _ = model_for_data("simplecnn_mnist", tiny_data, recipe, None)
    with pytest.raises(ValueError, match=r"batch_size \(15\) must be a multiple of the number of processes \(2\)"):
        Run(model, tiny_data, recipe, distributed)
