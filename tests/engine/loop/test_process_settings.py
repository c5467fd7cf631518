"""train() restores the settings of its process, and works in processes with other settings."""

import random
import signal
import subprocess
import sys
import threading

import pytest
import torch
from support import QUICK

from tinynets.engine import Normalize, evaluate, load_data, override, train
from tinynets.engine.loop import malloc
from tinynets.engine.loop.distributed import distributed_context
from tinynets.engine.loop.interrupt import interruptible
from tinynets.engine.loop.malloc import freed_memory_kept

SHORT = override(QUICK, {"schedule.epochs": 1, "schedule.warmup_epochs": 0})


FREED_LATER = """
import os, sys
import torch
from tinynets.engine import get_recipe, load_data, train, with_epochs

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

train("simplecnn_mnist", load_data("digits"), with_epochs(get_recipe("simplecnn_mnist", "digits"), 1), sys.argv[1])
before = megabytes()
x = torch.ones(200 << 18)
held = megabytes()
del x
print(held - before, megabytes() - before)
"""


@pytest.mark.skipif(malloc._glibc() is None, reason="malloc is not glibc's")
def test_memory_freed_later_goes_back_to_the_system(tmp_path):
    # in a new process: blocks that earlier tests freed may serve the allocation, and stay with the process
    command = [sys.executable, "-c", FREED_LATER, tmp_path / "run"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    held, left = map(float, printed.split())
    assert held > 150
    assert left < 50


def test_malloc_settings_are_restored_by_the_last_user(monkeypatch):
    calls = []

    class Recorder:
        def mallopt(self, option, value):
            calls.append((option, value))

        def malloc_trim(self, pad):
            calls.append("trim")

    monkeypatch.setattr(malloc, "_glibc", Recorder)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000")
    with freed_memory_kept():
        with freed_memory_kept():
            pass
        assert "trim" not in calls
    assert calls[-4:] == [(-4, 65536), (-1, 1000), (-3, 128 * 1024), "trim"]
    with pytest.raises(KeyError), freed_memory_kept():
        raise KeyError
    assert calls[-1] == "trim"


def test_generators_threads_and_handlers_stay(tiny_data, tmp_path):
    random.seed(3)
    torch.manual_seed(3)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    states = torch.get_rng_state(), random.getstate(), torch.get_num_threads(), threading.active_count()
    train("simplecnn_mnist", tiny_data, override(SHORT, {"drop_rate": 0.2}), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), torch.get_num_threads(), threading.active_count()) == states[1:]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    with pytest.raises(ValueError, match="unknown model"):
        train("simplecnn", tiny_data, SHORT, tmp_path / "none")
    assert torch.equal(torch.get_rng_state(), states[0])


def test_handlers_that_cannot_be_restored_are_unchanged(monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    set_to = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)  # a handler that is not Python's
    monkeypatch.setattr(signal, "signal", lambda *args: set_to.append(args))
    with interruptible():
        pass
    assert set_to == []


@pytest.mark.parametrize("default", ["meta", "cpu"])
def test_default_device_and_dtype(tiny_data, tmp_path, default):
    plain = train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "plain")
    torch.set_default_device(default)
    torch.set_default_dtype(torch.float64)
    try:
        again = train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "run")
        assert load_data("digits").train_images.device.type == "cpu"
        assert torch.get_default_device().type == default
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert {**again["last"], "seconds": 0} == {**plain["last"], "seconds": 0}


def test_evaluation_under_another_default_device(tiny_data, tmp_path):
    from tinynets.engine import load_trained

    train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "run")
    normalize = Normalize(tiny_data.mean, tiny_data.std)
    with torch.device("meta"):
        model = load_trained(tmp_path / "run").model
        result = evaluate(model, *tiny_data.split("test"), normalize)
    assert 0 <= result["top1"] <= 100


class Writer:
    """A minimal replacement of stderr."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def test_no_stderr_and_a_bare_one(tiny_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "none")
    assert capsys.readouterr().out == ""
    writer = Writer()
    monkeypatch.setattr(sys, "stderr", writer)
    train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "bare")
    assert "epoch 1/1  loss" in writer.text


def test_in_a_thread(tiny_data, tmp_path):
    summaries = []
    thread = threading.Thread(
        target=lambda: summaries.append(train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "run"))
    )
    thread.start()
    thread.join()
    assert summaries[0]["last"]["epoch"] == 1


def test_a_clusters_variables_without_torchrun(tiny_data, tmp_path, monkeypatch):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ValueError, match="environment variable RANK expected, but not set"):
        train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_world_of_one_is_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "3")
    with distributed_context("cpu") as distributed:
        assert (distributed.is_main, distributed.world_size) == (True, 1)
