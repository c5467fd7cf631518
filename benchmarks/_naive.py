"""The ops as one writes them down first, which ours are measured against, and a way to run our models on them."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.nn import functional as F


def divisive_norm(x: Tensor, kernel_size: int = 3, eps: float = 1e-3) -> Tensor:
    return x / (eps + F.avg_pool2d(x.abs(), kernel_size, 1, kernel_size // 2, count_include_pad=False))


def local_variance(x: Tensor, kernel_size: int = 3) -> Tensor:
    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel_size, 1, kernel_size // 2, count_include_pad=False)

    return mean(x * x) - mean(x) ** 2


def gated_dilated_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    reach, channels = weight.shape[-1] // 2, weight.shape[0]
    y = None
    for k, dilation in enumerate(dilations):
        branch = gate[:, k : k + 1] * F.conv2d(x, weight, bias, 1, dilation * reach, dilation, channels)
        y = branch if y is None else y + branch
    assert y is not None
    return y


_USERS = {
    "divisive_norm": "divisive_norm",
    "local_variance": "entropy_gate",
    "gated_dilated_conv2d": "gated_dilated_conv2d",
}

NAIVE: dict[str, Callable[..., Tensor]] = {op: globals()[op] for op in _USERS}


@contextmanager
def layers_run_on(forms: dict[str, Callable[..., Tensor]]) -> Iterator[None]:
    """These functions instead of tinynets.ops."""
    modules = {op: importlib.import_module(f"tinynets.layers.{_USERS[op]}") for op in forms}
    before = {op: getattr(module, op) for op, module in modules.items()}
    try:
        for op, module in modules.items():
            setattr(module, op, forms[op])
        yield
    finally:
        for op, module in modules.items():
            setattr(module, op, before[op])
