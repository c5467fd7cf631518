from collections.abc import Sequence
from typing import Any

import torch
from timm.models import register_model
from torch import Tensor, nn

from tinynets._checks import check_positive
from tinynets._modules import has_forward_hooks
from tinynets._statistics import CIFAR100
from tinynets.layers import ConvBnAct, EntropyGate, GatedDilatedConv2d, ISNorm, SymmetricConv1x1

from .base import StagedClassifier, init_residual_norms, scale_width
from .factory import build_model, pretrained_cfgs


class EGRRStage(nn.Module):
    """Recursive residual stage: h <- h + ReLU6(ISNorm_t(GatedDWConv(SymmetricConv1x1(h), EntropyGate(h)))).

    The recursion is preceded by 2x2 average pooling if stride is 2, and by a 1x1 convolution with batch norm if stride
    or width changes.

    Args:
        in_chans: number of input channels.
        out_chans: number of output channels.
        num_steps: number of steps T of the recursion, each with its own norm.
        stride: 1 or 2.
        dilations: dilations that the gate selects from.
        hard: whether the gate is one-hot.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        num_steps: int,
        stride: int = 1,
        dilations: Sequence[int] = (1, 2, 4),
        hard: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_steps = num_steps
        self.active_steps = num_steps
        self.down = nn.Sequential()
        if stride > 1:
            self.down.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if stride > 1 or in_chans != out_chans:
            self.down.append(ConvBnAct(in_chans, out_chans, 1, act_layer=None, **dd))
        self.gate = EntropyGate(out_chans, len(dilations), hard=hard, **dd)
        self.mix = SymmetricConv1x1(out_chans, **dd)
        self.conv = GatedDilatedConv2d(out_chans, dilations, **dd)
        self.norm = ISNorm(out_chans, num_steps, **dd)
        init_residual_norms(self.norm)  # full-size residuals add up to huge logits, and training diverges
        self.act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        weight = self.mix.weight_matrix() if self.shares_matrix() else None
        for step in range(self.active_steps if self.training else self.num_steps):
            mixed = self.mix(x) if weight is None else self.mix(x, weight)
            y = self.norm(self.conv(mixed, self.gate(x)), step)
            if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
                if any(map(has_forward_hooks, self.norm.modules())):
                    y = y.clone()  # the activation is in-place
            x = x + self.act(y)
        return x

    def shares_matrix(self) -> bool:
        """Whether W can be computed once for all steps, before `mix` is called.

        It cannot if a hook of `mix` computes the parameter (pruning, weight norm) or if `mix` was replaced.
        """
        if torch.jit.is_scripting():
            return True
        else:
            return isinstance(self.mix, SymmetricConv1x1) and not self.mix._forward_pre_hooks


class EGRR(StagedClassifier):
    """Entropy-gated recursive residual network: by default eight stages, each a weight-tied recursion of T steps.

    420,212 parameters for 3 channels, 100 classes and the default widths and steps.

    Args:
        num_classes: number of classes, 0 for pooled features.
        in_chans: number of image channels.
        global_pool: timm's pooling type, "" for none.
        drop_rate: dropout rate before the classifier.
        width: width multiplier for all channel counts except in_chans.
        channels: number of channels of each stage.
        num_steps: number of steps T of each stage.
        strides: stride of each stage, 1 or 2.
        hard: whether the gate is one-hot: the dilation with the largest weight at every pixel.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) -> (N, num_classes). H and W must be at least the product of the strides, 8 by default.

    Raises:
        ValueError: channels, num_steps and strides differ in length, an argument is out of range, or classes are asked
            for without pooling.

    Examples:
        >>> import torch
        >>> from tinynets.models import EGRR
        >>> model = EGRR(num_classes=10, channels=(24, 48), num_steps=(2, 3), strides=(1, 2)).eval()
        >>> model(torch.randn(1, 3, 32, 32)).shape
        torch.Size([1, 10])
    """

    def __init__(
        self,
        num_classes: int = 100,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        width: float = 1.0,
        channels: Sequence[int] = (48, 96, 96, 192, 192, 192, 384, 384),
        num_steps: Sequence[int] = (3, 4, 4, 5, 5, 5, 6, 6),
        strides: Sequence[int] = (1, 2, 1, 2, 1, 1, 2, 1),
        hard: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not 0 < len(channels) == len(num_steps) == len(strides):
            raise ValueError(
                "channels, num_steps and strides must have the same length of at least 1, "
                f"got {len(channels)}, {len(num_steps)} and {len(strides)}"
            )
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        stem_chs = scale_width(32, width)
        stages, feature_info, prev_chs, reduction = [], [], stem_chs, 1
        for index, (chs, steps, stride) in enumerate(zip(channels, num_steps, strides, strict=True)):
            chs = scale_width(chs, width)
            stages.append(EGRRStage(prev_chs, chs, steps, stride, hard=hard, **dd))
            reduction *= stride
            feature_info.append({"num_chs": chs, "reduction": reduction, "module": f"stages.{index}"})
            prev_chs = chs
        self.assemble(
            stem=ConvBnAct(in_chans, stem_chs, act_layer=nn.ReLU6, **dd),
            stages=nn.Sequential(*stages),
            feature_info=feature_info,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )

    def set_active_steps(self, steps: int | None) -> None:
        """Limit the number of steps per stage in training (depth warm-up); evaluation always runs all steps.

        Args:
            steps: maximum number of steps per stage, None for no limit.

        Raises:
            ValueError: steps is not positive.
        """
        if steps is not None:
            check_positive(steps=steps)
        for stage in self.stages:
            assert isinstance(stage, EGRRStage)
            stage.active_steps = stage.num_steps if steps is None else min(steps, stage.num_steps)

    def set_tau(self, tau: float) -> None:
        """Set the training temperature of all gates; lower values bring the gates closer to one-hot.

        Args:
            tau: temperature, positive.

        Raises:
            ValueError: tau is not positive.
        """
        if not tau > 0:
            raise ValueError(f"tau must be positive, got {tau}")
        for module in self.modules():
            if isinstance(module, EntropyGate):
                module.tau.fill_(tau)


default_cfgs = pretrained_cfgs(
    "egrr_cifar100",
    num_classes=100,
    input_size=(3, 32, 32),
    pool_size=(4, 4),
    **CIFAR100._asdict(),
    first_conv="stem.conv",
)


@register_model
def egrr_cifar100(pretrained: bool = False, **kwargs: Any) -> EGRR:
    """EGRR for CIFAR-100, 3x32x32 and 100 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `EGRR` and of timm.create_model.

    Returns:
        The model.
    """
    feature_cfg = {"out_indices": (0, 2, 5, 7), "flatten_sequential": True}
    return build_model(EGRR, "egrr_cifar100", pretrained, feature_cfg, **kwargs)
