from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import torch
import torch.fx
from timm.models import checkpoint, register_model
from torch import Tensor, nn

from tinynets._checks import check_positive
from tinynets._statistics import CIFAR10
from tinynets.layers import BlurPool, ConvBnAct, DivisiveNorm, ISNorm
from tinynets.ops import depthwise_conv2d

from .base import StagedClassifier, share_residuals
from .factory import build_model, pretrained_cfgs

torch.fx.wrap("depthwise_conv2d")


class ECBlock(nn.Module):
    """The tied block: y = x + scale * ISNorm_t(contract(DivisiveNorm(depthwise_d(ReLU(ISNorm_t(expand(x))))))).

    One set of convolutions for every iteration t; the dilation d = dilations[t], both norms' affine pairs and their
    running statistics are the iteration's own. scale is one learned number.

    Args:
        channels: channels in and out.
        expansion: the hidden layer is so many times wider.
        dilations: spacing of the depthwise taps in pixels, one per iteration.

    Shape: (N, channels, H, W), step in 0..len(dilations)-1 -> (N, channels, H, W).
    """

    def __init__(self, channels: int, expansion: int, dilations: Sequence[int], device=None, dtype=None) -> None:
        check_positive(
            channels=channels, expansion=expansion, **{f"dilations[{i}]": d for i, d in enumerate(dilations)}
        )
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = channels * expansion
        self.dilations = list(dilations)
        self.expand = nn.Conv2d(channels, hidden, 1, bias=False, **dd)
        self.expand_norm = ISNorm(hidden, len(self.dilations), **dd)
        self.act = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, **dd)
        self.divisive = DivisiveNorm(**dd)
        self.contract = nn.Conv2d(hidden, channels, 1, bias=False, **dd)
        self.contract_norm = ISNorm(channels, len(self.dilations), **dd)
        share_residuals(self.contract_norm)  # at full size, short runs end 2 to 4 % lower: docs/training.md
        self.scale = nn.Parameter(torch.ones((), **dd))

    def forward(self, x: Tensor, step: int) -> Tensor:
        dilation = self.dilations[step]
        y = self.act(self.expand_norm(self.expand(x), step))
        y = depthwise_conv2d(y, self.depthwise.weight, self.depthwise.bias, dilation)
        y = self.contract_norm(self.contract(self.divisive(y)), step)
        return x + self.scale * y

    def truncate(self, steps: int) -> None:
        """Keep the first so many iterations."""
        self.dilations = self.dilations[:steps]
        for norm in (self.expand_norm, self.contract_norm):
            norm.steps = norm.steps[:steps]
            norm.num_steps = steps


class ECNet(StagedClassifier):
    """Weight-tied net: one ECBlock for every iteration, each at its own dilation, and two BlurPools.

    115,659 parameters at 3 channels, 10 classes and the defaults.

    Args:
        num_classes: 0 for pooled features.
        in_chans: channels of the image.
        global_pool: timm's pooling type, "" for none.
        drop_rate: dropout in front of the classifier.
        channels: width of the net.
        iterations: how often the block is applied; the first half runs in front of the second BlurPool.
        expansion: the block's hidden layer is so many times wider.
        dilations: one per iteration; repeated or cut to the number of iterations.

    Shape: (N, in_chans, H, W) with H, W >= 4 -> (N, num_classes).
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        channels: int = 64,
        iterations: int = 6,
        expansion: int = 4,
        dilations: Sequence[int] = (1, 1, 2, 1, 2, 3),
        device=None,
        dtype=None,
    ) -> None:
        check_positive(channels=channels, iterations=iterations, expansion=expansion)
        if not dilations:
            raise ValueError("dilations must name at least one dilation, got none")
        super().__init__()
        self.iterations = iterations
        self.turn = iterations // 2
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.block = ECBlock(channels, expansion, list(islice(cycle(dilations), iterations)), **dd)
        self.down = nn.Sequential(ConvBnAct(channels, channels, **dd), BlurPool(channels, **dd))
        self.assemble(
            stem=nn.Sequential(
                ConvBnAct(in_chans, channels, **dd), ConvBnAct(channels, channels, **dd), BlurPool(channels, **dd)
            ),
            stages=None,
            feature_info=[{"num_chs": channels, "reduction": reduction, "module": "block"} for reduction in (2, 4)],
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )

    def run_stages(self, x: Tensor) -> Tensor:
        x = self.iterate(x, 0, self.turn)
        return self.iterate(self.down(x), self.turn, self.iterations)

    def iterate(self, x: Tensor, start: int, stop: int) -> Tensor:
        for step in range(start, stop):
            if self.grad_checkpointing and not torch.jit.is_scripting():
                x = checkpoint(self.block, x, step)
            else:
                x = self.block(x, step)
        return x

    def forward_stage(self, x: Tensor, index: int) -> Tensor:
        if index == 0:
            return self.iterate(x, 0, self.turn)
        return self.iterate(self.down(x), self.turn, self.iterations)

    def prune_stages(self, keep: int) -> None:
        self.iterations = self.turn
        self.block.truncate(self.turn)
        self.down = nn.Sequential()

    def group_matcher(self, coarse: bool = False) -> dict:
        return {"stem": r"^stem", "blocks": [(r"^block", (0,)), (r"^down", (1,))]}


default_cfgs = pretrained_cfgs(
    "ecnet_cifar10",
    input_size=(3, 32, 32),
    pool_size=(8, 8),
    **CIFAR10._asdict(),
    first_conv="stem.0.conv",
)


@register_model
def ecnet_cifar10(pretrained: bool = False, **kwargs: Any) -> ECNet:
    """Weight-tied ECNet for CIFAR-10."""
    # the tied block is run several times, which only the getter can follow
    feature_cfg = {"out_indices": (0, 1), "feature_cls": "getter"}
    return build_model(ECNet, "ecnet_cifar10", pretrained, feature_cfg, **kwargs)
