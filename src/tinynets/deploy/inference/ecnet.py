"""ECNet's block for inference: fused, portable, and equalized for 8-bit integers."""

from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets.layers.dilated_depthwise import DilatesDepthwise
from tinynets.ops import divisive_norm

from .folding import exact, scales_and_shifts
from .portable_layers import PortableDivisiveNorm

torch.fx.wrap("divisive_norm")


class FusedECBlock(DilatesDepthwise):
    """y = x + contract_t(DivisiveNorm(depthwise_d(ReLU(expand_t(x))))): norms and scale are folded into both 1x1
    convolutions.

    Shape: (N, channels, H, W), step in 0..len(dilations)-1 -> (N, channels, H, W).
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.dilations = list(block.dilations)
        self.depthwise = block.depthwise
        self.kernel_size: int = block.divisive.kernel_size
        self.eps: float = block.divisive.eps
        like = block.expand.weight
        scales, shifts = scales_and_shifts(block.expand_norm)
        self.expand = nn.Parameter(_scaled(block.expand.weight, scales).to(like).contiguous())
        self.expand_bias = nn.Parameter(shifts.to(like))
        scales, shifts = scales_and_shifts(block.contract_norm)
        residual = exact(block.scale)
        self.contract = nn.Parameter(_scaled(block.contract.weight, scales * residual).to(like).contiguous())
        self.contract_bias = nn.Parameter((shifts * residual).to(like))

    def forward(self, x: Tensor, step: int) -> Tensor:
        y = F.conv2d(x, self.expand[step].unflatten(1, (-1, 1, 1)), self.expand_bias[step]).relu_()
        y = divisive_norm(self.filtered(y, step), self.kernel_size, self.eps)
        return F.conv2d(y, self.contract[step].unflatten(1, (-1, 1, 1)), self.contract_bias[step]).add_(x)

    def truncate(self, steps: int) -> None:
        """Remove all iterations but the first `steps`."""
        self.dilations = self.dilations[:steps]
        for name in ("expand", "expand_bias", "contract", "contract_bias"):
            setattr(self, name, nn.Parameter(getattr(self, name)[:steps].detach(), requires_grad=False))


def _scaled(weight: Tensor, scales: Tensor) -> Tensor:
    """Return a 1x1 convolution's weights multiplied by every step's scale, (T, C_out, C_in)."""
    return exact(weight).flatten(1) * scales.unsqueeze(2)


class PortableECBlock(DilatesDepthwise):
    """`FusedECBlock` with each matrix stored once and its rows scaled at every step."""

    def __init__(self, block: FusedECBlock) -> None:
        super().__init__()
        self.dilations, self.depthwise = block.dilations, block.depthwise
        self.divisive = PortableDivisiveNorm(block.kernel_size, block.eps)
        self.expand, self.expand_scales = _shared_rows(block.expand.detach())
        self.contract, self.contract_scales = _shared_rows(block.contract.detach())
        self.expand_biases = nn.ParameterList(bias.clone() for bias in block.expand_bias.detach())
        self.contract_biases = nn.ParameterList(bias.clone() for bias in block.contract_bias.detach())

    def forward(self, x: Tensor, step: int) -> Tensor:
        return self.contracted(x, self.filtered(self.hidden(x, step), step), step)

    def hidden(self, x: Tensor, step: int) -> Tensor:
        return F.relu(F.conv2d(x, self.expand * self.expand_scales[step], self.expand_biases[step]))

    def contracted(self, x: Tensor, y: Tensor, step: int) -> Tensor:
        return x + F.conv2d(self.divisive(y), self.contract * self.contract_scales[step], self.contract_biases[step])


def _shared_rows(weights: Tensor) -> tuple[nn.Parameter, nn.ParameterList]:
    """Split (T, C_out, C_in) matrices that differ by a factor per row into one matrix and T columns of factors."""
    wide = weights.double()
    longest = wide.square().sum(2).argmax(0)
    base = F.normalize(wide[longest, torch.arange(wide.shape[1])], dim=1)
    scales = (wide * base).sum(2)
    shared = base[..., None, None].to(weights)
    return nn.Parameter(shared), nn.ParameterList(column[:, None, None, None].to(weights) for column in scales)


class EqualizedECBlock(nn.Module):
    """`PortableECBlock` with separate, equalized weights for every step."""

    def __init__(self, ranges: "ChannelRanges") -> None:
        super().__init__()
        block = ranges.block
        self.dilations = block.dilations
        steps = sorted(ranges.expanded)
        parts = [
            self._step(block, step, _factor(ranges.expanded[step]), _factor(ranges.filtered[step])) for step in steps
        ]
        expand, expand_bias, depthwise, depthwise_bias, divisive, contract, contract_bias = zip(*parts, strict=True)
        self.expand, self.expand_bias = nn.ParameterList(expand), nn.ParameterList(expand_bias)
        self.depthwise, self.depthwise_bias = nn.ParameterList(depthwise), nn.ParameterList(depthwise_bias)
        self.divisive = nn.ModuleList(divisive)
        self.contract, self.contract_bias = nn.ParameterList(contract), nn.ParameterList(contract_bias)
        self.requires_grad_(False)

    @staticmethod
    def _step(block: PortableECBlock, step: int, expanded: Tensor, filtered: Tensor) -> tuple[Tensor | nn.Module, ...]:
        bias = block.depthwise.bias
        assert bias is not None
        return (
            block.expand * block.expand_scales[step] / expanded,
            block.expand_biases[step] / expanded.flatten(),
            block.depthwise.weight * expanded / filtered,
            bias / filtered.flatten(),
            PortableDivisiveNorm(block.divisive.kernel_size, block.divisive.eps / filtered.view(1, -1, 1, 1)),
            block.contract * block.contract_scales[step],
            block.contract_biases[step].clone(),
        )

    def forward(self, x: Tensor, step: int) -> Tensor:
        dilation, depthwise = self.dilations[step], self.depthwise[step]
        y = F.relu(F.conv2d(x, self.expand[step], self.expand_bias[step]))
        y = F.conv2d(y, depthwise, self.depthwise_bias[step], 1, dilation, dilation, depthwise.shape[0])
        return x + F.conv2d(self.divisive[step](y), self.contract[step], self.contract_bias[step])


class ChannelRanges(nn.Module):
    """A block that records the maximum magnitude per channel and step, after ReLU and depthwise convolution."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, PortableECBlock)
        self.block = block
        self.expanded: dict[int, Tensor] = {}
        self.filtered: dict[int, Tensor] = {}

    def forward(self, x: Tensor, step: int) -> Tensor:
        hidden = self.block.hidden(x, step)
        filtered = self.block.filtered(hidden, step)
        for ranges, y in ((self.expanded, hidden), (self.filtered, filtered)):
            top = y.abs().amax((0, 2, 3))
            ranges[step] = torch.maximum(ranges[step], top) if step in ranges else top
        return self.block.contracted(x, filtered, step)


def _factor(top: Tensor) -> Tensor:
    """Return the divisors of the channels, (C, 1, 1, 1); channels that are zero here may be active in other images."""
    return top.clamp_min(max(float(top.max()) / 256, 1e-6)).view(-1, 1, 1, 1)
