from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_channels, check_odd, check_positive
from tinynets.ops import gumbel_gate, local_variance

from .registry import register_layer

torch.fx.wrap("check_channels")
torch.fx.wrap("gumbel_gate")
torch.fx.wrap("local_variance")


@register_layer
class EntropyGate(nn.Module):
    """A soft choice between dilations at every pixel, driven by how much goes on around it.

    V = local variance of x (the entropy of a Gaussian grows with it), logits = head(V) with two 1x1 convolutions,
    channels -> channels // reduction -> num_dilations, a ReLU between them, and

    - training: gate = softmax((logits + Gumbel noise) / tau)
    - evaluation: gate = softmax(logits), the probability that training draws each dilation with
    - hard=True: one-hot at the maximum of these; training keeps the gradient of the soft gate (straight-through)

    `tau` is a 0-d buffer: anneal it with `gate.tau.fill_(value)`.

    Args:
        channels: channels of x.
        num_dilations: channels of the gate.
        reduction: how much narrower the hidden layer of the head is; at least one channel is kept.
        kernel_size: odd side of the variance window in pixels.
        tau: temperature of the training gate.
        hard: one-hot gates.

    Shape: (N, channels, H, W) -> (N, num_dilations, H, W), non-negative, sums to 1 over dim 1.
    Source: Jang et al., Categorical Reparameterization with Gumbel-Softmax, 2017 (https://arxiv.org/abs/1611.01144).
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
        device=None,
        dtype=None,
    ) -> None:
        check_positive(channels=channels, num_dilations=num_dilations, reduction=reduction)
        check_odd(kernel_size=kernel_size)
        if not isinstance(tau, int | float) or not tau > 0:
            raise ValueError(f"tau must be positive, got {tau!r}")
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = max(channels // reduction, 1)
        self.channels = channels
        self.kernel_size = kernel_size
        self.hard = hard
        self.reduce = nn.Conv2d(channels, hidden, 1, **dd)
        self.expand = nn.Conv2d(hidden, num_dilations, 1, **dd)
        self.register_buffer("tau", torch.tensor(tau, **dd))

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.channels)
        return self.choose(self.reduce(local_variance(x, self.kernel_size)))

    def choose(self, statistics: Tensor) -> Tensor:
        """The gate from what `reduce` makes of the variance."""
        return gumbel_gate(self.expand(F.relu(statistics)), self.tau, self.training, self.hard)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, hard={self.hard}"
