"""Training steps as CUDA graphs: a small net's step is thousands of kernels, which Python cannot launch in time."""

import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tinynets._say import say

WARM_UP = 3  # steps of a kind that run as usual first: kernels are compiled and chosen, the optimizer makes its state


class StepGraphs:
    """Runs training steps; from the fourth of a kind on by replaying its CUDA graph.

    Steps are of one kind if their setting and the shapes and types of their inputs are the same. Each kind has a graph
    of its own. A step that cannot be captured is said once, and all go on as usual.

    The optimizer's update is part of the graph where it can be: where it has the option `capturable` and nothing but
    its learning rate changes from step to step.

    Args:
        gradients: setting, *inputs -> a tensor of figures. It sets the parameters' gradients anew.
        update: the optimizer's step.
        optimizer: whose `capturable` groups are told about it.
        constant_momentum: whether momentum and betas stay as they are.
    """

    def __init__(
        self,
        gradients: Callable[..., Tensor],
        update: Callable[[], Any],
        optimizer: Optimizer,
        constant_momentum: bool,
    ) -> None:
        self.gradients, self.update, self.optimizer = gradients, update, optimizer
        self.captures_update = constant_momentum and make_capturable(optimizer.param_groups, True)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        device = self.parameters[0].device
        self.rates = [torch.zeros((), device=device) for _ in optimizer.param_groups]
        self.stream, self.pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()
        self.steps: Counter[Hashable] = Counter()
        self.graphs: dict[Hashable, _Graph] = {}
        self.works = True

    def __call__(self, setting: Hashable, *inputs: Tensor) -> Tensor:
        kind = (setting, *((tuple(t.shape), t.dtype) for t in inputs))
        for rate, group in zip(self.rates, self.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        graph = self.graphs.get(kind)
        if graph is None and self.works and self.steps[kind] >= WARM_UP:
            graph = self._capture(kind, setting, inputs)
        if graph is None:
            self.steps[kind] += 1
            figures = self._step(setting, inputs)
        else:
            figures = graph.replay(inputs)
            for parameter, grad in zip(self.parameters, graph.grads, strict=True):
                parameter.grad = grad
        if not self.captures_update:
            self.update()
        return figures

    def _step(self, setting: Hashable, inputs: tuple[Tensor, ...]) -> Tensor:
        """On the stream that is captured later: autograd remembers streams."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            figures = self._compute(setting, inputs)
        current.wait_stream(self.stream)
        return figures

    def _compute(self, setting: Hashable, inputs: tuple[Tensor, ...]) -> Tensor:
        figures = self.gradients(setting, *inputs)
        if self.captures_update:
            with self._rates_on_device():
                self.update()
        return figures

    def _capture(self, kind: Hashable, setting: Hashable, inputs: tuple[Tensor, ...]) -> "_Graph | None":
        graph = _Graph(inputs)
        self.optimizer.zero_grad()
        try:
            with torch.cuda.graph(graph.graph, pool=self.pool, stream=self.stream):
                graph.figures = self._compute(setting, graph.inputs)
        except RuntimeError as error:
            self.works = False
            say(f"the training step cannot be captured as a CUDA graph and runs slower without ({_first_line(error)})")
            return None
        graph.grads = [p.grad for p in self.parameters]
        self.graphs[kind] = graph
        return graph

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """A number would be captured as a constant: inside, learning rates are tensors."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*capturable=True.*")  # before the capture
                yield
        finally:
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate


class _Graph:
    """A captured step, the memory it reads its inputs from, and what it leaves behind."""

    figures: Tensor
    grads: list[Tensor | None]

    def __init__(self, inputs: tuple[Tensor, ...]) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.inputs = tuple(t.clone() for t in inputs)

    def replay(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for ours, given in zip(self.inputs, inputs, strict=True):
            ours.copy_(given)
        self.graph.replay()
        return self.figures


def make_capturable(groups: list[dict[str, Any]], capturable: bool) -> bool:
    """Set that option of an optimizer's groups, so far as they have it. Whether all of them are capturable now."""
    for group in groups:
        if "capturable" in group:
            group["capturable"] = capturable
    return all(group.get("capturable", False) for group in groups)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
