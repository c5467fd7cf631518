"""Steps as CUDA graphs: what is captured and replayed, on a stand-in for a GPU; with one, the same training."""

import contextlib

import pytest
import torch
from support import EGRR_ARGS, QUICK

from tinynets.engine import override
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.step_graphs import WARM_UP, StepGraphs, make_capturable


class Stream:
    device = None

    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        pass


class Graph:
    replays = 0

    def replay(self):
        Graph.replays += 1


@pytest.fixture
def stand_in(monkeypatch):
    Graph.replays = 0
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, pool, stream: contextlib.nullcontext())


class Toy:
    """One parameter; every call of the step and every learning rate that the update saw."""

    def __init__(self, optimizer=torch.optim.Adam):
        self.parameter = torch.nn.Parameter(torch.ones(2))
        self.optimizer = optimizer([self.parameter], lr=0.5)
        self.settings, self.rates = [], []
        self.optimizer.step = self.update
        self.step = StepGraphs(self.gradients, self.optimizer)

    def gradients(self, setting, x):
        self.settings.append(setting)
        self.optimizer.zero_grad()
        (self.parameter * x.sum()).sum().backward()
        return x.sum()

    def update(self):
        self.rates.append(self.optimizer.param_groups[0]["lr"])


def test_a_kind_of_step_is_captured_once_and_replayed(stand_in):
    toy = Toy()
    for _ in range(WARM_UP + 3):
        toy.step("small", torch.ones(4))
    assert toy.settings == ["small"] * (WARM_UP + 1)  # the last one while it was captured
    assert Graph.replays == 3
    toy.step("large", torch.ones(4))
    toy.step("small", torch.ones(5))
    assert toy.settings[-2:] == ["large", "small"]
    assert Graph.replays == 3


def test_a_replay_reads_the_new_inputs(stand_in):
    toy = Toy()
    for value in range(WARM_UP + 2):
        stats = toy.step("one", torch.full((2,), float(value)))
    (graph,) = toy.step.graphs.values()
    assert graph.inputs[0].tolist() == [WARM_UP + 1, WARM_UP + 1]
    assert stats is graph.stats


def test_the_update_is_captured_with_the_rate_as_a_tensor(stand_in):
    toy = Toy()
    for rate in (0.5, 0.25, 0.125, 0.1, 0.05):
        toy.optimizer.param_groups[0]["lr"] = rate
        toy.step("one", torch.ones(2))
        assert toy.optimizer.param_groups[0]["lr"] == rate  # a float again
    assert len(toy.rates) == WARM_UP + 1
    assert all(rate is toy.step.rates[0] for rate in toy.rates)
    assert toy.rates[0].item() == pytest.approx(0.05)


def test_an_update_that_cannot_be_captured_stays_outside_and_finds_its_gradients(stand_in):
    toy = Toy(torch.optim.SGD)
    for _ in range(WARM_UP + 2):
        toy.step("one", torch.ones(2))
    assert toy.rates == [0.5] * (WARM_UP + 2)
    toy.step("other", torch.ones(2))
    toy.step("one", torch.ones(2))
    (graph,) = toy.step.graphs.values()
    assert toy.parameter.grad is graph.grads[0]


def test_a_failed_capture_warns_and_runs_eagerly(stand_in, monkeypatch, caplog):
    @contextlib.contextmanager
    def refuse(graph, pool, stream):
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    toy = Toy()
    for _ in range(WARM_UP + 4):
        toy.step("one", torch.ones(2))
    (message,) = caplog.messages
    assert message.startswith("CUDA graph capture failed, training continues in eager mode")
    assert message.endswith("when stream is capturing")
    assert Graph.replays == 0
    assert len(toy.settings) == WARM_UP + 5


def test_capturable_is_set_where_supported():
    groups = [{"capturable": False}, {"capturable": False}]
    assert make_capturable(groups, True)
    assert groups == [{"capturable": True}] * 2
    assert not make_capturable([{"capturable": False}, {}], True)
    assert not make_capturable(groups, False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("change", [{}, {"optimizer.name": "sgd", "optimizer.lr": 0.05}, {"precision": "bf16"}])
def test_graphs_train_as_steps_do(tiny_data, change):
    losses = []
    for graphs in (False, True):
        recipe = override(QUICK, {"optimizer.name": "muon", "optimizer.lr": 0.01, **change})
        model, _ = model_for_data("egrr_cifar100", tiny_data, recipe, EGRR_ARGS)
        run = Run(model, tiny_data, recipe, DistributedContext(0, 1, torch.device("cuda")))
        run.graphs = run.graphs if graphs else None
        losses.append([run.train_epoch(lambda: None)["train_loss"] for _ in range(3)])
        assert not graphs or run.graphs.graphs
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
