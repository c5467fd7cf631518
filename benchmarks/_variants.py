"""EGRR and ECNet with one mechanism replaced by the usual one, in timm's registry under `egrr_...` and `ecnet_...`.

Those of Mote are in `_mote_variants.py`. A variant of EGRR is as wide as it takes to come nearest to the parameter
count of EGRR itself.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from _mote_variants import MOTE_VARIANTS
from timm.models import register_model
from torch import Tensor, nn
from torch.nn import functional as F

import tinynets
from tinynets.layers import ConvBnAct
from tinynets.models.ecnet import ECBlock, ECNet
from tinynets.models.egrr import EGRR, EGRRStage


class FreeConv1x1(nn.Module):
    """Stands in for SymmetricConv1x1: any matrix, orthogonal at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(channels, channels)))

    def weight_matrix(self) -> Tensor:
        return self.weight

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight[:, :, None, None])


class FixedDilation(nn.Conv2d):
    """Stands in for GatedDilatedConv2d: dilation 1 everywhere, whatever the gate says."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1, groups=channels, bias=False)

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return super().forward(x)


class SharedNorm(nn.BatchNorm2d):
    """Stands in for ISNorm: one affine pair and one set of statistics for all steps."""

    def forward(self, x: Tensor, step: int) -> Tensor:
        return super().forward(x)


class SharedAffine(nn.Module):
    """Stands in for ISNorm: one affine pair for all steps, each step normalized by its own statistics."""

    def __init__(self, channels: int, num_steps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 1 / num_steps))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.steps = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for _ in range(num_steps))

    def forward(self, x: Tensor, step: int) -> Tensor:
        return self.steps[step](x) * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class UntiedBlocks(nn.Module):
    """Stands in for ECNet's tied block: every iteration has its own."""

    def __init__(self, channels: int, expansion: int, dilations: list[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ECBlock(channels, expansion, [dilation]) for dilation in dilations)
        for block in self.blocks:  # ECBlock itself counts one iteration
            nn.init.constant_(block.get_parameter("contract_norm.steps.0.weight"), 1 / len(dilations))

    def forward(self, x: Tensor, step: int) -> Tensor:
        return self.blocks[step](x, 0)


def _free(stage: EGRRStage, channels: int) -> None:
    stage.mix = FreeConv1x1(channels)  # pyright: ignore[reportAttributeAccessIssue]


def _fixed(stage: EGRRStage, channels: int) -> None:
    stage.gate, stage.conv = nn.Identity(), FixedDilation(channels)  # pyright: ignore[reportAttributeAccessIssue]


def _shared(stage: EGRRStage, channels: int) -> None:
    stage.norm = SharedNorm(channels)  # pyright: ignore[reportAttributeAccessIssue]
    nn.init.constant_(stage.norm.weight, 1 / stage.num_steps)


def _shared_affine(stage: EGRRStage, channels: int) -> None:
    stage.norm = SharedAffine(channels, stage.num_steps)  # pyright: ignore[reportAttributeAccessIssue]


def _egrr(change: Callable[[EGRRStage, int], None], width: float = 1.0, **kwargs: Any) -> EGRR:
    """EGRR changed, as wide as it takes to come nearest to the parameters of an EGRR of that width."""
    return _changed(change, _matched(change, width), **kwargs)


def _changed(change: Callable[[EGRRStage, int], None], width: float, **kwargs: Any) -> EGRR:
    model: Any = tinynets.create_model("egrr_cifar100", width=width, **kwargs)
    for stage, info in zip(model.stages, model.feature_info, strict=True):
        change(stage, info["num_chs"])
    return model


@cache
def _matched(change: Callable[[EGRRStage, int], None], width: float) -> float:
    with torch.device("meta"):
        expected = tinynets.count_parameters(tinynets.create_model("egrr_cifar100", width=width))
        widths = [width * (0.6 + 0.005 * step) for step in range(120)]
        return min(widths, key=lambda tried: abs(tinynets.count_parameters(_changed(change, tried)) - expected))


@register_model
def egrr_free(pretrained: bool = False, **kwargs: Any) -> EGRR:
    """Any 1x1 matrix in place of a symmetric one."""
    return _egrr(_free, **kwargs)


@register_model
def egrr_fixed(pretrained: bool = False, **kwargs: Any) -> EGRR:
    """Dilation 1 in place of the gate's choice."""
    return _egrr(_fixed, **kwargs)


@register_model
def egrr_shared(pretrained: bool = False, **kwargs: Any) -> EGRR:
    """One norm for all steps: affine pair and statistics."""
    return _egrr(_shared, **kwargs)


@register_model
def egrr_shared_affine(pretrained: bool = False, **kwargs: Any) -> EGRR:
    """One affine pair for all steps, statistics of their own."""
    return _egrr(_shared_affine, **kwargs)


def _ecnet(**kwargs: Any) -> Any:
    return tinynets.create_model("ecnet_cifar10", **kwargs)


@register_model
def ecnet_plain(pretrained: bool = False, **kwargs: Any) -> ECNet:
    """No divisive norm."""
    model = _ecnet(**kwargs)
    model.block.divisive = nn.Identity()
    return model


@register_model
def ecnet_strided(pretrained: bool = False, **kwargs: Any) -> ECNet:
    """Strided convolutions in place of the BlurPools."""
    model = _ecnet(**kwargs)
    channels = model.num_features
    model.stem = nn.Sequential(model.stem[0], ConvBnAct(channels, channels, stride=2))
    model.down = ConvBnAct(channels, channels, stride=2)
    return model


@register_model
def ecnet_undilated(pretrained: bool = False, **kwargs: Any) -> ECNet:
    """Dilation 1 in every iteration."""
    return _ecnet(dilations=(1,), **kwargs)


@register_model
def ecnet_untied(pretrained: bool = False, **kwargs: Any) -> ECNet:
    """A block of its own for every iteration: equal compute, more parameters."""
    model = _ecnet(**kwargs)
    expansion = model.block.expand.out_channels // model.num_features
    model.block = UntiedBlocks(model.num_features, expansion, model.block.dilations)
    return model


VARIANTS = {
    "egrr_cifar100": ("egrr_free", "egrr_fixed", "egrr_shared", "egrr_shared_affine"),
    "ecnet_cifar10": ("ecnet_plain", "ecnet_strided", "ecnet_undilated", "ecnet_untied"),
    "mote_25k.cifar10": MOTE_VARIANTS,
}
