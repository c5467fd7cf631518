import torch
from torch import Tensor

from ._dispatch import runs_eagerly


def keep_gradient_layout(x: Tensor) -> Tensor:
    """x, whose gradient will be channels_last if x is.

    The gradient of a mean over pixels arrives contiguous. On the CPU, a batch norm whose gradient has another layout
    than its input takes ten times as long.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if runs_eagerly() and x.requires_grad and x.is_contiguous(memory_format=torch.channels_last):
            x.register_hook(_to_channels_last)
    return x


def _to_channels_last(grad: Tensor) -> Tensor:
    return grad.contiguous(memory_format=torch.channels_last)
