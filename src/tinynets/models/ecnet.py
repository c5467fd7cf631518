from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import torch
from timm.models import checkpoint, register_model
from torch import Tensor, nn

from tinynets._checks import check_positive
from tinynets._modules import has_forward_hooks
from tinynets._statistics import CIFAR10
from tinynets.layers import BlurPool, ConvBnAct, DivisiveNorm, ISNorm
from tinynets.layers.dilated_depthwise import DilatedDepthwise, DilatesDepthwise

from .base import StagedClassifier, init_residual_norms
from .factory import build_model, pretrained_cfgs


class ECBlock(DilatesDepthwise):
    """Weight-tied inverted residual block of ECNet:

    y = x + scale * ISNorm_t(contract(DivisiveNorm(depthwise_d(ReLU(ISNorm_t(expand(x)))))))

    The convolutions are shared by all iterations. Each iteration t has its own dilation d = dilations[t], affine
    parameters and running statistics; scale is a learnable scalar.

    Args:
        channels: number of input and output channels.
        expansion: expansion ratio; the hidden layer has channels * expansion channels.
        dilations: spacing between depthwise kernel elements in pixels, one for each iteration.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, channels, H, W), step in 0..len(dilations)-1 -> (N, channels, H, W).
    """

    def __init__(
        self,
        channels: int,
        expansion: int,
        dilations: Sequence[int],
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
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
        self.depthwise = DilatedDepthwise(hidden, 3, bias=True, **dd)
        self.divisive = DivisiveNorm(**dd)
        self.contract = nn.Conv2d(hidden, channels, 1, bias=False, **dd)
        self.contract_norm = ISNorm(channels, len(self.dilations), **dd)
        init_residual_norms(self.contract_norm)  # full size costs 2 to 4 % accuracy in short runs: docs/training.md
        self.scale = nn.Parameter(torch.ones((), **dd))

    def forward(self, x: Tensor, step: int) -> Tensor:
        y = self.expand_norm(self.expand(x), step)
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
            if any(map(has_forward_hooks, self.expand_norm.modules())):
                y = y.clone()  # the activation is in-place
        y = self.filtered(self.act(y), step)
        y = self.contract_norm(self.contract(self.divisive(y)), step)
        return x + self.scale * y

    def truncate(self, steps: int) -> None:
        """Remove all iterations but the first `steps`."""
        self.dilations = self.dilations[:steps]
        for norm in (self.expand_norm, self.contract_norm):
            norm.steps = norm.steps[:steps]
            norm.num_steps = steps


class ECNet(StagedClassifier):
    """ECNet: a weight-tied network that applies one block repeatedly, at a different dilation in every iteration.

    The resolution is reduced by two BlurPools. 115,659 parameters for 3 channels, 10 classes and the default arguments.

    Args:
        num_classes: number of classes, 0 for pooled features.
        in_chans: number of image channels.
        global_pool: timm's pooling type, "" for none.
        drop_rate: dropout rate before the classifier.
        channels: number of channels of all feature maps between blocks.
        iterations: number of applications of the block; the first half precedes the second BlurPool.
        expansion: expansion ratio of the block.
        dilations: dilation of each iteration; repeated or truncated to the number of iterations.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) with H, W >= 4 -> (N, num_classes).

    Raises:
        ValueError: an argument is out of range, or a classifier is requested without pooling.

    Examples:
        >>> import torch
        >>> from tinynets.models import ECNet
        >>> ECNet(channels=16, iterations=4).eval()(torch.randn(1, 3, 32, 32)).shape
        torch.Size([1, 10])
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
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_positive(channels=channels, iterations=iterations, expansion=expansion)
        if not dilations:
            raise ValueError("dilations must contain at least one dilation, got none")
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
        """Apply all iterations to the output of the stem, with the second BlurPool between the halves."""
        x = self.iterate(x, 0, self.turn)
        return self.iterate(self.down(x), self.turn, self.iterations)

    def iterate(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Apply the iterations range(start, stop), which share one resolution."""
        for step in range(start, stop):
            if self.grad_checkpointing and not torch.jit.is_scripting():
                x = checkpoint(self.block, x, step)
            else:
                x = self.block(x, step)
        return x

    def forward_stage(self, x: Tensor, index: int) -> Tensor:
        """Apply stage 0 (the iterations before the second BlurPool) or stage 1 (the BlurPool and those after it)."""
        if index == 0:
            return self.iterate(x, 0, self.turn)
        return self.iterate(self.down(x), self.turn, self.iterations)

    def prune_stages(self, keep: int) -> None:
        """Remove stage 1."""
        self.iterations = self.turn
        self.block.truncate(self.turn)
        self.down = nn.Sequential()

    def group_matcher(self, coarse: bool = False) -> dict:
        """Return regular expressions that group parameters by depth, for timm's layer-wise learning rate decay."""
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
    """ECNet for CIFAR-10, 3x32x32 and 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `ECNet` and of timm.create_model.

    Returns:
        The model.
    """
    # the block runs several times, which only timm's getter supports
    feature_cfg = {"out_indices": (0, 1), "feature_cls": "getter"}
    return build_model(ECNet, "ecnet_cifar10", pretrained, feature_cfg, **kwargs)
