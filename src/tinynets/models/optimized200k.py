from typing import Any

import torch
from timm.models import register_model
from torch import Tensor, nn

from tinynets._statistics import CIFAR10
from tinynets.layers import ConvBnAct, DWSeparable

from .base import StagedClassifier, scale_width
from .factory import build_model, pretrained_cfgs


class EfficientBlock(nn.Module):
    """Residual block: y = ReLU(DWSeparable(ReLU(DWSeparable(x))) + shortcut(x)).

    The shortcut is the identity, or a 1x1 convolution with batch norm where the shape changes.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        stride: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.conv1 = DWSeparable(in_chans, out_chans, stride=stride, act_layer=nn.ReLU, **dd)
        self.conv2 = DWSeparable(out_chans, out_chans, **dd)
        if in_chans == out_chans and stride == 1:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = ConvBnAct(in_chans, out_chans, 1, stride=stride, act_layer=None, **dd)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.conv2(self.conv1(x)) + self.shortcut(x))


class Optimized200K(StagedClassifier):
    """Optimized200K: a residual network of depthwise separable convolutions, in four stages of two blocks.

    150,690 parameters and a receptive field of 109 pixels for 3 channels and 10 classes.

    Args:
        num_classes: number of classes, 0 for pooled features.
        in_chans: number of image channels.
        global_pool: timm's pooling type, "" for none.
        drop_rate: dropout rate before the classifier.
        width: width multiplier for all channel counts except in_chans.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) with H, W >= 8 -> (N, num_classes).

    Raises:
        ValueError: width is not positive, or a classifier is requested without pooling.

    Examples:
        >>> import torch
        >>> from tinynets.models import Optimized200K
        >>> Optimized200K(num_classes=5, width=0.5).eval()(torch.randn(1, 3, 32, 32)).shape
        torch.Size([1, 5])
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.2,
        width: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        stem_chs, *channels = (scale_width(c, width) for c in (20, 20, 40, 80, 160))
        stages, feature_info, prev_chs, reduction = [], [], stem_chs, 1
        for index, (chs, stride) in enumerate(zip(channels, (1, 2, 2, 2), strict=True)):
            stages.append(nn.Sequential(EfficientBlock(prev_chs, chs, stride, **dd), EfficientBlock(chs, chs, **dd)))
            reduction *= stride
            feature_info.append({"num_chs": chs, "reduction": reduction, "module": f"stages.{index}"})
            prev_chs = chs
        self.assemble(
            stem=ConvBnAct(in_chans, stem_chs, **dd),
            stages=nn.Sequential(*stages),
            feature_info=feature_info,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )


default_cfgs = pretrained_cfgs(
    "optimized200k_cifar10",
    input_size=(3, 32, 32),
    pool_size=(4, 4),
    **CIFAR10._asdict(),
    first_conv="stem.conv",
)


@register_model
def optimized200k_cifar10(pretrained: bool = False, **kwargs: Any) -> Optimized200K:
    """Optimized200K for CIFAR-10, 3x32x32 and 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Optimized200K` and of timm.create_model.

    Returns:
        The model.
    """
    feature_cfg = {"out_indices": (0, 1, 2, 3), "flatten_sequential": True}
    return build_model(Optimized200K, "optimized200k_cifar10", pretrained, feature_cfg, **kwargs)
