from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_positive, check_window
from tinynets.ops import gumbel_gate, local_variance

from .registry import register_layer

torch.fx.wrap("gumbel_gate")
torch.fx.wrap("local_variance")


@register_layer
class EntropyGate(nn.Module):
    """Gumbel-softmax gate that selects a dilation at every pixel from the local variance of the input.

    The windowed variance V serves as a proxy of local entropy (the entropy of a Gaussian grows with its variance). Two
    1x1 convolutions with a ReLU in between, channels -> channels // reduction -> num_dilations, map V to logits. Then

    - in training: gate = softmax((logits + Gumbel noise) / tau)
    - in evaluation: gate = softmax(logits), the probability with which training samples each dilation
    - with hard=True: one-hot at the maximum, with the gradient of the soft gate in training (straight-through).

    `tau` is a 0-d buffer; set it with `gate.tau.fill_(value)`.

    Args:
        channels: number of channels of x.
        num_dilations: number of channels of the gate.
        reduction: reduction ratio; the hidden layer has channels // reduction channels, at least one.
        kernel_size: size of the variance window in pixels, odd.
        tau: temperature of the gate in training.
        hard: whether the gate is one-hot.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, channels, H, W) -> (N, num_dilations, H, W), non-negative, with sum 1 over dim 1.

    Raises:
        ValueError: an argument is out of range.

    Source: Jang et al., Categorical Reparameterization with Gumbel-Softmax, 2017 (https://arxiv.org/abs/1611.01144).

    Examples:
        >>> import torch
        >>> from tinynets.layers import EntropyGate
        >>> gate = EntropyGate(24, num_dilations=3).eval()(torch.randn(1, 24, 8, 8))
        >>> gate.shape, torch.allclose(gate.sum(1), torch.ones(1, 8, 8))
        (torch.Size([1, 3, 8, 8]), True)
    """

    tau: Tensor

    def __init__(
        self,
        channels: int,
        num_dilations: int = 3,
        reduction: int = 12,
        kernel_size: int = 3,
        tau: float = 1.0,
        hard: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_positive(channels=channels, num_dilations=num_dilations, reduction=reduction)
        check_window(kernel_size)
        if not tau > 0:
            raise ValueError(f"tau must be positive, got {tau}")
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = max(channels // reduction, 1)
        self.kernel_size = kernel_size
        self.hard = hard
        self.reduce = nn.Conv2d(channels, hidden, 1, **dd)
        self.expand = nn.Conv2d(hidden, num_dilations, 1, **dd)
        self.register_buffer("tau", torch.tensor(tau, **dd))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the gate of x: (N, channels, H, W) -> (N, num_dilations, H, W)."""
        statistics = self.reduce(local_variance(x, self.kernel_size))
        return gumbel_gate(self.expand(F.relu(statistics)), self.tau, self.training, self.hard)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, hard={self.hard}"
