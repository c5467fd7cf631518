"""Cross-channel range equalization before int8 quantization.

Activations are quantized with one scale per tensor. As ECNet's divisive norm then brings every channel to the same
magnitude, a channel with a small range matters as much as the others but has fewer quantization levels. Measured after
27 epochs of training: without equalization the int8 files lose 2.5 % accuracy.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from tinynets.layers.dilated_depthwise import DilatedDepthwise

from .export_spec import ExportSpec
from .inference.ecnet import ChannelRanges, EqualizedECBlock, PortableECBlock

_BATCH = 64


def equalized(spec: ExportSpec, inputs: np.ndarray) -> ExportSpec:
    """Equalize the channel ranges inside ECNet's blocks without changing the function.

    ReLU and the divisive norm commute with a positive factor per channel, so every channel is divided by its largest
    magnitude over the calibration inputs, and weights, biases and eps absorb the factors. A block is left unchanged if
    its depthwise convolution was replaced by a module without such a weight.

    Source: Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019
    (https://arxiv.org/abs/1906.04721), with ranges from images.
    """
    blocks = [
        name
        for name, module in spec.model.named_modules()
        if isinstance(module, PortableECBlock) and isinstance(module.depthwise, DilatedDepthwise)
    ]
    if not blocks:
        return spec
    result = replace(spec, model=deepcopy(spec.model))
    ranges = {name: ChannelRanges(result.model.get_submodule(name)) for name in blocks}
    _put(result.model, ranges)
    for batch in torch.from_numpy(inputs).split(_BATCH):
        result.network()(batch)
    _put(result.model, {name: EqualizedECBlock(top) for name, top in ranges.items()})
    return result


def _put(model: nn.Module, modules: dict[str, ChannelRanges] | dict[str, EqualizedECBlock]) -> None:
    for name, module in modules.items():
        model.set_submodule(name, module)
