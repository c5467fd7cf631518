from typing import Any

import torch
from timm.models import register_model
from torch import nn

from tinynets._statistics import CIFAR10
from tinynets.layers import ConvBnAct, DWSeparable

from .base import StagedClassifier, scale_width
from .factory import build_model, pretrained_cfgs


class C1C2C3C4O(StagedClassifier):
    """C1C2C3C4O: four blocks of standard, depthwise separable and 1x1 convolutions, without max pooling.

    Three convolutions have stride 2 and one has dilation 2. For 3x32x32 images and 10 classes it has 84,322 parameters,
    13.73 M multiply-adds and a receptive field of 55 pixels.

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
        >>> from tinynets.models import C1C2C3C4O
        >>> C1C2C3C4O(num_classes=5, width=0.5).eval()(torch.randn(1, 3, 32, 32)).shape
        torch.Size([1, 5])
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        width: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        c = [scale_width(channels, width) for channels in (24, 32, 48, 64, 80, 96, 112, 128)]
        relu: dict[str, Any] = {"act_layer": nn.ReLU, **dd}
        stages = [
            nn.Sequential(ConvBnAct(c[0], c[1], **relu), ConvBnAct(c[1], c[2], stride=2, **relu)),
            nn.Sequential(DWSeparable(c[2], c[3], **relu), DWSeparable(c[3], c[4], stride=2, **relu)),
            nn.Sequential(ConvBnAct(c[4], c[5], 1, **relu), DWSeparable(c[5], c[6], stride=2, **relu)),
            nn.Sequential(DWSeparable(c[6], c[7], dilation=2, **relu), ConvBnAct(c[7], c[7], 1, **relu)),
        ]
        self.assemble(
            stem=ConvBnAct(in_chans, c[0], **relu),
            stages=nn.Sequential(*stages),
            feature_info=[
                {"num_chs": channels, "reduction": reduction, "module": f"stages.{index}"}
                for index, (channels, reduction) in enumerate([(c[2], 2), (c[4], 4), (c[6], 8), (c[7], 8)])
            ],
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )


default_cfgs = pretrained_cfgs(
    "c1c2c3c4o_cifar10",
    input_size=(3, 32, 32),
    pool_size=(4, 4),
    **CIFAR10._asdict(),
    first_conv="stem.conv",
)


@register_model
def c1c2c3c4o_cifar10(pretrained: bool = False, **kwargs: Any) -> C1C2C3C4O:
    """C1C2C3C4O for CIFAR-10, 3x32x32 and 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `C1C2C3C4O` and of timm.create_model.

    Returns:
        The model.
    """
    feature_cfg = {"out_indices": (0, 1, 2, 3), "flatten_sequential": True}
    return build_model(C1C2C3C4O, "c1c2c3c4o_cifar10", pretrained, feature_cfg, **kwargs)
