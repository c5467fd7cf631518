"""The inference forms of the layers and blocks."""

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
)


def fused_form(module: nn.Module) -> nn.Module:
    """Return an equivalent of module in evaluation mode with fewer operations; module itself if there is none.

    Subclasses are replaced like their base class unless they override `forward`. A block is left unchanged if a
    submodule that would be folded has hooks or was replaced.
    """
    for kind in type(module).__mro__:
        if kind in _REPLACED:
            replaced, parts = _REPLACED[kind]
            own = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
            as_built = all(_as_built(module._modules.get(part), kinds) for part, kinds in parts.items())
            return replaced(module) if as_built and not own else module
        if "forward" in vars(kind):
            return module
    return module


def portable_form(module: nn.Module) -> nn.Module:
    """Return an equivalent of a fused module in operations that every converter supports, or module itself."""
    convert = _PORTABLE.get(type(module))
    return convert(module) if convert else module


def _as_built(part: nn.Module | None, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Whether a submodule behaves as one of the classes with its visible parameters."""
    return isinstance(part, kinds) and not hooked(part) and type(part).forward in [kind.forward for kind in kinds]


def _matrix(layer: SymmetricConv1x1) -> nn.Conv2d:
    """Return a convolution with the weight W."""
    dd: dict[str, Any] = {"device": layer.packed.device, "dtype": layer.packed.dtype}
    conv = nn.Conv2d(layer.channels, layer.channels, 1, bias=False, **dd)
    conv.weight.copy_(layer.weight_matrix().view_as(conv.weight))
    return conv


def _egrr_stage(stage: EGRRStage) -> FusedEGRRStage:
    down = nn.Sequential(*(fused_form(layer) for layer in stage.down))
    conv = stage.conv
    return FusedEGRRStage(down, stage.gate, fused_form(stage.mix), conv.weight, stage.norm, conv.dilations)


_CONV = (nn.Conv2d,)
_NORM = (nn.BatchNorm2d, nn.SyncBatchNorm, FrozenBatchNorm2d)

# the replacement, and its requirements: submodules that are instances of these classes
_REPLACED: dict[type, tuple[Callable[..., nn.Module], dict[str, tuple[type[nn.Module], ...]]]] = {
    ConvBnAct: (lambda block: without_norm(block, "conv"), {"conv": _CONV, "bn": _NORM}),
    DWSeparable: (lambda block: without_norm(block, "conv_pw"), {"conv_pw": _CONV, "bn": _NORM}),
    SymmetricConv1x1: (_matrix, {}),
    EGRRStage: (_egrr_stage, {"conv": (GatedDilatedConv2d,), "norm": (ISNorm,), "act": (nn.ReLU6,)}),
    ECBlock: (
        FusedECBlock,
        {
            "expand": _CONV,
            "expand_norm": (ISNorm,),
            "act": (nn.ReLU,),
            "divisive": (DivisiveNorm,),
            "contract": _CONV,
            "contract_norm": (ISNorm,),
        },
    ),
}

_PORTABLE: dict[type[nn.Module], Callable[..., nn.Module]] = {
    FusedEGRRStage: PortableEGRRStage,
    FusedECBlock: PortableECBlock,
    EntropyGate: PortableGate,
    DivisiveNorm: lambda norm: PortableDivisiveNorm(norm.kernel_size, norm.eps),
    BlurPool: PortableBlurPool,
    nn.AvgPool2d: PortableAvgPool,
}
