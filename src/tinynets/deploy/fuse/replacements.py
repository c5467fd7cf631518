"""What takes the place of each of our layers and blocks for inference."""

from collections.abc import Callable
from typing import Any

from torch import nn

from tinynets.layers import ConvBnAct, DWSeparable, SymmetricConv1x1
from tinynets.models.ecnet import ECBlock
from tinynets.models.egrr import EGRRStage

from .folding import without_norm
from .recursive import FusedECBlock, FusedEGRRStage


def replacement(module: nn.Module) -> nn.Module:
    """What computes the same as module in evaluation mode with fewer operations; module itself if there is nothing.

    A class derived from ours is replaced like ours, unless it computes something else: has a `forward` of its own.
    """
    for kind in type(module).__mro__:
        if kind in _REPLACED:
            return _REPLACED[kind](module)
        if "forward" in vars(kind):
            return module
    return module


def _matrix(layer: SymmetricConv1x1) -> nn.Conv2d:
    """A convolution that holds W."""
    dd: dict[str, Any] = {"device": layer.packed.device, "dtype": layer.packed.dtype}
    conv = nn.Conv2d(layer.channels, layer.channels, 1, bias=False, **dd)
    conv.weight.copy_(layer.weight_matrix().view_as(conv.weight))
    return conv


def _egrr_stage(stage: EGRRStage) -> FusedEGRRStage:
    down = nn.Sequential(*(replacement(layer) for layer in stage.down))
    conv = stage.conv
    return FusedEGRRStage(down, stage.gate, replacement(stage.mix), conv.weight, stage.norm, conv.dilations)


_REPLACED: dict[type, Callable[[Any], nn.Module]] = {
    ConvBnAct: lambda block: without_norm(block, "conv"),
    DWSeparable: lambda block: without_norm(block, "conv_pw"),
    SymmetricConv1x1: _matrix,
    EGRRStage: _egrr_stage,
    ECBlock: FusedECBlock,
}
