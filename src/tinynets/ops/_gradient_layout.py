import torch
from torch import Tensor

from ._dispatch import runs_eagerly


def keep_gradient_layout(x: Tensor) -> Tensor:
    """Return x, and make sure that its gradient is channels_last if x is.

    The gradient of a mean over pixels is contiguous. On the CPU, a batch norm takes ten times as long if the layout of
    its gradient differs from that of its input.

    Args:
        x: (N, C, H, W).

    Returns:
        x.

    Examples:
        >>> import torch
        >>> from tinynets.ops import keep_gradient_layout
        >>> x = torch.randn(2, 8, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
        >>> keep_gradient_layout(x * 1).mean((2, 3)).sum().backward()
        >>> x.grad.is_contiguous(memory_format=torch.channels_last)
        True
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if runs_eagerly() and x.requires_grad and x.is_contiguous(memory_format=torch.channels_last):
            x.register_hook(_to_channels_last)
    return x


def _to_channels_last(grad: Tensor) -> Tensor:
    return grad.contiguous(memory_format=torch.channels_last)
