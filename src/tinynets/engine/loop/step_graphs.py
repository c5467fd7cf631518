"""Training steps as CUDA graphs, which avoid the launch overhead of a small model's thousands of short kernels."""

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_logger = logging.getLogger(__name__)


WARM_UP = 3  # eager steps before a capture, which compile and select kernels and create the optimizer state


class StepGraphs:
    """Run training steps, capturing the fourth step of each kind as a CUDA graph that is replayed from then on.

    Steps are of the same kind if their setting and the shapes and dtypes of their inputs are equal. If a step cannot be
    captured, a message is printed and all steps run eagerly. The graph includes the optimizer's update if the optimizer
    has the option `capturable`.

    Args:
        gradients: function of (setting, *inputs) that computes the gradients and returns a tensor of stats.
        optimizer: the optimizer, whose groups are made capturable.
    """

    def __init__(self, gradients: Callable[..., Tensor], optimizer: Optimizer) -> None:
        self.gradients, self.optimizer = gradients, optimizer
        self.captures_update = make_capturable(optimizer.param_groups, True)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        device = self.parameters[0].device
        self.rates = [torch.zeros((), device=device) for _ in optimizer.param_groups]
        self.stream, self.pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()
        self.steps: Counter[Hashable] = Counter()
        self.graphs: dict[Hashable, _Graph] = {}
        self.enabled = True

    def __call__(self, setting: Hashable, *inputs: Tensor) -> Tensor:
        kind = (setting, *((tuple(t.shape), t.dtype) for t in inputs))
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        graph = self.graphs.get(kind)
        if graph is None and self.enabled and self.steps[kind] >= WARM_UP:
            graph = self._capture(kind, setting, inputs)
        if graph is None:
            self.steps[kind] += 1
            stats = self._step(setting, inputs)
        else:
            stats = graph.replay(inputs)
            for parameter, grad in zip(self.parameters, graph.grads, strict=True):
                parameter.grad = grad
        if not self.captures_update:
            self.optimizer.step()
        return stats

    def _step(self, setting: Hashable, inputs: tuple[Tensor, ...]) -> Tensor:
        """Run eagerly on the stream of the later capture, since autograd records streams."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            stats = self._compute(setting, inputs)
        current.wait_stream(self.stream)
        return stats

    def _compute(self, setting: Hashable, inputs: tuple[Tensor, ...]) -> Tensor:
        stats = self.gradients(setting, *inputs)
        if self.captures_update:
            with self._rates_on_device():
                self.optimizer.step()
        return stats

    def _capture(self, kind: Hashable, setting: Hashable, inputs: tuple[Tensor, ...]) -> "_Graph | None":
        graph = _Graph(inputs)
        self.optimizer.zero_grad()
        try:
            with torch.cuda.graph(graph.graph, pool=self.pool, stream=self.stream):
                graph.stats = self._compute(setting, graph.inputs)
        except RuntimeError as error:
            self.enabled = False
            _logger.warning(f"CUDA graph capture failed, training continues in eager mode: {_first_line(error)}")
            return None
        graph.grads = [p.grad for p in self.parameters]
        self.graphs[kind] = graph
        return graph

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Replace learning rates by tensors inside, since a capture would make numbers constant."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*capturable=True.*")  # in warm-up steps
                yield
        finally:
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate


class _Graph:
    """A captured step, the tensors it reads, and the stats and gradients it writes."""

    stats: Tensor
    grads: list[Tensor | None]

    def __init__(self, inputs: tuple[Tensor, ...]) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.inputs = tuple(t.clone() for t in inputs)

    def replay(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for static, value in zip(self.inputs, inputs, strict=True):
            static.copy_(value)
        self.graph.replay()
        return self.stats


def make_capturable(groups: list[dict[str, Any]], capturable: bool) -> bool:
    """Set `capturable` in all groups that support it; return whether all groups are capturable."""
    for group in groups:
        if "capturable" in group:
            group["capturable"] = capturable
    return all(group.get("capturable", False) for group in groups)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
