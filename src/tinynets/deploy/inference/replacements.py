"""What takes the place of each of our layers and blocks for inference."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

from tinynets._modules import hooked
from tinynets.layers import (
    BlurPool,
    ConvBnAct,
    DivisiveNorm,
    DWSeparable,
    EntropyGate,
    GatedDilatedConv2d,
    ISNorm,
    SymmetricConv1x1,
)
from tinynets.models.ecnet import ECBlock
from tinynets.models.egrr import EGRRStage

from .ecnet import FusedECBlock, PortableECBlock
from .egrr import FusedEGRRStage, PortableEGRRStage
from .folding import without_norm
from .portable_layers import (
    PortableAvgPool,
    PortableBlurPool,
    PortableDivisiveNorm,
    PortableGate,
    PortableGatedConv,
)


def fused_form(module: nn.Module) -> nn.Module:
    """What computes the same as module in evaluation mode with fewer operations; module itself if there is nothing.

    A class derived from ours is replaced like ours, unless it computes something else: has a `forward` of its own. A
    block stays as it is where somebody looks at a part that would be folded, or has put another module in its place.
    """
    for kind in type(module).__mro__:
        if kind in _REPLACED:
            replaced, *parts = _REPLACED[kind]
            read = [module._modules.get(part) for part in parts]
            own = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
            return module if own or not all(map(_as_built, read)) else replaced(module)
        if "forward" in vars(kind):
            return module
    return module


def portable_form(module: nn.Module) -> nn.Module:
    """What computes the same as a fused module in operations that every converter supports; module itself if it does
    already.
    """
    form = _PORTABLE.get(type(module))
    return form(module) if form else module


def _as_built(part: nn.Module | None) -> bool:
    """Whether a call of the part does what its class says with the parameters that it shows."""
    return part is not None and not hooked(part) and type(part).forward in _KNOWN


def _matrix(layer: SymmetricConv1x1) -> nn.Conv2d:
    """A convolution that holds W."""
    dd: dict[str, Any] = {"device": layer.packed.device, "dtype": layer.packed.dtype}
    conv = nn.Conv2d(layer.channels, layer.channels, 1, bias=False, **dd)
    conv.weight.copy_(layer.weight_matrix().view_as(conv.weight))
    return conv


def _egrr_stage(stage: EGRRStage) -> FusedEGRRStage:
    down = nn.Sequential(*(fused_form(layer) for layer in stage.down))
    conv = stage.conv
    return FusedEGRRStage(down, stage.gate, fused_form(stage.mix), conv.weight, stage.norm, conv.dilations)


_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, FrozenBatchNorm2d)
_KNOWN = {kind.forward for kind in (nn.Conv2d, DivisiveNorm, GatedDilatedConv2d, ISNorm, *_NORMS)}

# what makes the replacement, and the parts whose parameters it reads
_REPLACED: dict[type, tuple[Any, ...]] = {
    ConvBnAct: (lambda block: without_norm(block, "conv"), "conv", "bn"),
    DWSeparable: (lambda block: without_norm(block, "conv_pw"), "conv_pw", "bn"),
    SymmetricConv1x1: (_matrix,),
    EGRRStage: (_egrr_stage, "conv", "norm"),
    ECBlock: (FusedECBlock, "expand", "expand_norm", "divisive", "contract", "contract_norm"),
}

_PORTABLE: dict[type[nn.Module], Callable[..., nn.Module]] = {
    FusedEGRRStage: PortableEGRRStage,
    FusedECBlock: PortableECBlock,
    EntropyGate: PortableGate,
    GatedDilatedConv2d: PortableGatedConv,
    DivisiveNorm: lambda norm: PortableDivisiveNorm(norm.kernel_size, norm.eps),
    BlurPool: PortableBlurPool,
    nn.AvgPool2d: PortableAvgPool,
}
