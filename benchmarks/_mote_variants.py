"""Other designs of mote_25k, in timm's registry under `mote_25k_...`.

`mote_25k_late` has no stage at 8x8; most variants are this net with one choice made differently. Channels are chosen to
come near its parameter count, for `_squeeze` and `_symmetric` near that of mote_25k.
"""

from typing import Any

from timm.layers import SqueezeExcite
from timm.models import register_model
from torch import nn

import tinynets
from tinynets.layers import BlurPool, DWSeparable, SymmetricConv1x1
from tinynets.models import Mote
from tinynets.models.mote import MoteBlock


def _mote(kwargs: dict[str, Any], channels: tuple[int, ...], depths: tuple[int, ...] = (1, 4), **design: Any) -> Any:
    design = {"kernel_sizes": (3, 5)} | design
    return tinynets.create_model("mote_25k.cifar10", channels=channels, depths=depths, **design, **kwargs)


@register_model
def mote_25k_late(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Two stages, four blocks of 5x5 at 16x16."""
    return _mote(kwargs, (16, 32))


@register_model
def mote_25k_kernel3(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, kernels of 3x3 at 16x16."""
    return _mote(kwargs, (16, 34), kernel_sizes=(3, 3))


@register_model
def mote_25k_kernel7(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, kernels of 7x7 at 16x16."""
    return _mote(kwargs, (16, 30), kernel_sizes=(3, 7))


@register_model
def mote_25k_expansion1(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, expansion 1."""
    return _mote(kwargs, (16, 44), expansion=1)


@register_model
def mote_25k_expansion3(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, expansion 3."""
    return _mote(kwargs, (16, 26), expansion=3)


@register_model
def mote_25k_deep(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, six blocks at 16x16, narrower."""
    return _mote(kwargs, (16, 26), (1, 6))


@register_model
def mote_25k_shallow(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, two blocks at 16x16, wider."""
    return _mote(kwargs, (16, 46), (1, 2))


@register_model
def mote_25k_early(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Narrower at 16x16."""
    return _mote(kwargs, (16, 24, 36), (1, 2, 2), kernel_sizes=(3, 5, 5))


@register_model
def mote_25k_early3(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Narrower at 16x16, kernels of 3x3."""
    return _mote(kwargs, (16, 24, 38), (1, 2, 2), kernel_sizes=(3, 3, 3))


@register_model
def mote_25k_blur(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, BlurPool in place of the strided convolution."""
    model = _mote(kwargs, (16, 32))
    first, second = model.stages[0][-1].project.out_channels, model.num_features
    model.stages[1][0] = nn.Sequential(DWSeparable(first, second), BlurPool(second))
    return model


@register_model
def mote_25k_scale1(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Late, projections with initial weights of full size."""
    model = _mote(kwargs, (16, 32))
    for block in _blocks(model):
        block.project.weight.data.div_(0.3)
    return model


@register_model
def mote_25k_squeeze(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Squeeze-and-excitation before every projection, a quarter of the block's channels in its bottleneck; narrower."""
    model = _mote(kwargs, (16, 24, 34), (1, 2, 2), kernel_sizes=(3, 5, 5))
    for block in _blocks(model):
        squeeze = SqueezeExcite(block.project.in_channels, rd_channels=block.project.out_channels // 4)
        block.expand = nn.Sequential(block.expand, squeeze)
    return model


@register_model
def mote_25k_symmetric(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Expansion 1 with symmetric projections, wider."""
    model = _mote(kwargs, (16, 40, 56), (1, 2, 2), kernel_sizes=(3, 5, 5), expansion=1)
    for block in _blocks(model):
        block.project = SymmetricConv1x1(block.project.out_channels)
        block.project.packed.data.mul_(0.3)
    return model


def _blocks(model: Mote) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, MoteBlock)]


MOTE_VARIANTS = (
    "mote_25k_late",
    "mote_25k_kernel3",
    "mote_25k_kernel7",
    "mote_25k_expansion1",
    "mote_25k_expansion3",
    "mote_25k_deep",
    "mote_25k_shallow",
    "mote_25k_early",
    "mote_25k_early3",
    "mote_25k_blur",
    "mote_25k_scale1",
    "mote_25k_squeeze",
    "mote_25k_symmetric",
)
