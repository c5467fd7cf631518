"""Give all channels of a map the same range, before the map becomes 8-bit integers.

A map of integers has one scale for all of its channels. ECNet's divisive norm brings every channel to the same
magnitude afterwards, so a channel with a small range is as important as the others, but has fewer integers.
Measured after 27 epochs of training: without this step the int8 files lose 2.5 % accuracy.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets.layers.dilated_depthwise import DilatedDepthwise

from .portable import PortableDivisiveNorm, PortableECBlock
from .source import Source

_BATCH = 64


def equalized(source: Source, inputs: np.ndarray) -> Source:
    """The same function, with equal ranges of the channels inside of ECNet's blocks.

    ReLU and the divisive norm commute with a positive factor per channel. So every channel is divided by its largest
    magnitude over the calibration inputs; weights, biases and eps absorb the factors. A block stays as it is if
    something without a weight of that form has taken the place of its depthwise convolution.

    Source: Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019
    (https://arxiv.org/abs/1906.04721), with ranges from images.
    """
    blocks = [
        name
        for name, module in source.model.named_modules()
        if isinstance(module, PortableECBlock) and isinstance(module.depthwise, DilatedDepthwise)
    ]
    if not blocks:
        return source
    made = replace(source, model=deepcopy(source.model))
    tops = {name: _Tops(made.model.get_submodule(name)) for name in blocks}
    _put(made.model, tops)
    for batch in torch.from_numpy(inputs).split(_BATCH):
        made.network()(batch)
    _put(made.model, {name: EqualizedECBlock(top) for name, top in tops.items()})
    return made


class EqualizedECBlock(nn.Module):
    """`PortableECBlock` with separate weights for every step, equalized."""

    def __init__(self, tops: "_Tops") -> None:
        super().__init__()
        block = tops.block
        self.dilations = block.dilations
        steps = sorted(tops.expanded)
        parts = [self._step(block, step, _factor(tops.expanded[step]), _factor(tops.filtered[step])) for step in steps]
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


class _Tops(nn.Module):
    """A block that notes the largest magnitude of every channel, by step: behind ReLU and behind the depthwise
    convolution.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, PortableECBlock)
        self.block = block
        self.expanded: dict[int, Tensor] = {}
        self.filtered: dict[int, Tensor] = {}

    def forward(self, x: Tensor, step: int) -> Tensor:
        hidden = self.block.hidden(x, step)
        filtered = self.block.filtered(hidden, step)
        for tops, y in ((self.expanded, hidden), (self.filtered, filtered)):
            top = y.abs().amax((0, 2, 3))
            tops[step] = torch.maximum(tops[step], top) if step in tops else top
        return self.block.contracted(x, filtered, step)


def _factor(top: Tensor) -> Tensor:
    """What to divide the channels by, (C, 1, 1, 1). Channels that were silent may be loud in another image."""
    return top.clamp_min(max(float(top.max()) / 256, 1e-6)).view(-1, 1, 1, 1)


def _put(model: nn.Module, modules: dict[str, "_Tops"] | dict[str, EqualizedECBlock]) -> None:
    for name, module in modules.items():
        model.set_submodule(name, module)
