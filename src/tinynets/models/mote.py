from typing import Any

import torch
from timm.models import register_model
from torch import Tensor, nn

from tinynets._checks import check_positive
from tinynets._statistics import CIFAR10, CIFAR100, TINY_IMAGENET
from tinynets.layers import ConvBnAct, DWSeparable

from .base import StagedClassifier, scale_width
from .factory import build_model, pretrained_cfgs


class MoteBlock(nn.Module):
    """Residual block: y = x + project(ReLU(BN(pointwise(depthwise(x))))).

    `expand` is a `DWSeparable` that computes everything up to the ReLU; `tinynets.fuse` folds its norm into the 1x1
    convolution. The projection is initialized with small weights, so that the block starts close to the identity.

    Args:
        channels: number of channels.
        kernel_size: size of the depthwise kernel in pixels, odd.
        expansion: expansion ratio; `project` has channels * expansion input channels.
        residual_scale: scale of the initial weights of the projection.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, channels, H, W) -> (N, channels, H, W).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        expansion: int = 2,
        residual_scale: float = 0.3,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.expand = DWSeparable(channels, channels * expansion, kernel_size, act_layer=nn.ReLU, **dd)
        self.project = nn.Conv2d(channels * expansion, channels, 1, **dd)
        with torch.no_grad():
            self.project.weight.mul_(residual_scale)
        nn.init.zeros_(self.project.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.expand(x))


class Mote(StagedClassifier):
    """Mote: a residual network of depthwise and 1x1 convolutions for small images.

    The stem has stride stem_stride, and every stage after the first halves the resolution before its `MoteBlock`s. All
    norms can be folded.

    Args:
        num_classes: number of classes, 0 for pooled features.
        in_chans: number of image channels.
        global_pool: timm's pooling type, "" for none.
        drop_rate: dropout rate before the classifier.
        channels: number of channels of each stage; the stem has those of the first.
        depths: number of blocks in each stage.
        kernel_sizes: depthwise kernel size of each stage's blocks in pixels, odd.
        expansion: expansion ratio of the blocks.
        stem_stride: stride of the first convolution, 1 or, for images of 64 pixels and more, 2.
        width: width multiplier for all channel counts except in_chans.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) with H, W at least the total stride -> (N, num_classes).

    Raises:
        ValueError: an argument is not positive, a kernel size is even, channels, depths and kernel_sizes differ in
            length, or a classifier is requested without pooling.

    Examples:
        >>> import torch
        >>> from tinynets.models import Mote
        >>> Mote(num_classes=5, channels=(8, 16), depths=(1, 2)).eval()(torch.randn(1, 3, 32, 32)).shape
        torch.Size([1, 5])
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
        channels: tuple[int, ...] = (24, 56),
        depths: tuple[int, ...] = (1, 6),
        kernel_sizes: tuple[int, ...] = (3, 5),
        expansion: int = 2,
        stem_stride: int = 1,
        width: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        if not len(channels) == len(depths) == len(kernel_sizes) > 0:
            raise ValueError(
                "channels, depths and kernel_sizes must have the same length of at least 1, got "
                f"{len(channels)}, {len(depths)} and {len(kernel_sizes)}"
            )
        chs = [scale_width(c, width) for c in channels]
        stages, feature_info = [], []
        for index, (depth, kernel_size) in enumerate(zip(depths, kernel_sizes, strict=True)):
            check_positive(depth=depth)
            down = [DWSeparable(chs[index - 1], chs[index], stride=2, **dd)] if index else []
            blocks = [MoteBlock(chs[index], kernel_size, expansion, **dd) for _ in range(depth)]
            stages.append(nn.Sequential(*down, *blocks))
            reduction = stem_stride * 2**index
            feature_info.append({"num_chs": chs[index], "reduction": reduction, "module": f"stages.{index}"})
        self.assemble(
            stem=ConvBnAct(in_chans, chs[0], stride=stem_stride, **dd),
            stages=nn.Sequential(*stages),
            feature_info=feature_info,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )


def _cfgs(name: str, size: int = 32, pool: int = 8, **cfg: Any) -> dict:
    return pretrained_cfgs(name, input_size=(3, size, size), pool_size=(pool, pool), first_conv="stem.conv", **cfg)


default_cfgs = {
    **_cfgs("mote_25k.cifar10", **CIFAR10._asdict()),
    **_cfgs("mote_50k.cifar10", **CIFAR10._asdict()),
    **_cfgs("mote_100k.cifar10", **CIFAR10._asdict()),
    **_cfgs("mote_420k.cifar100", num_classes=100, **CIFAR100._asdict()),
    **_cfgs("mote_s2_120k.tiny_imagenet", 64, 4, num_classes=200, **TINY_IMAGENET._asdict()),
    **_cfgs("mote_s2_450k.tiny_imagenet", 64, 4, num_classes=200, **TINY_IMAGENET._asdict()),
}


@register_model
def mote_25k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of at most 25,000 parameters for 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {"channels": (16, 28, 36), "depths": (1, 2, 2), "kernel_sizes": (3, 5, 5)}
    return _mote("mote_25k", pretrained, size, kwargs)


@register_model
def mote_50k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of at most 50,000 parameters for 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {"channels": (16, 36, 52), "depths": (1, 3, 2), "kernel_sizes": (3, 5, 5)}
    return _mote("mote_50k", pretrained, size, kwargs)


@register_model
def mote_100k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of at most 100,000 parameters for 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {"channels": (20, 48, 64), "depths": (1, 4, 3), "kernel_sizes": (3, 3, 3)}
    return _mote("mote_100k", pretrained, size, kwargs)


@register_model
def mote_420k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of at most 425,000 parameters for 100 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {"num_classes": 100, "channels": (24, 64, 112), "depths": (1, 5, 6), "kernel_sizes": (3, 3, 3)}
    return _mote("mote_420k", pretrained, size, kwargs)


@register_model
def mote_s2_120k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of about 120,000 parameters for photos of 64 pixels and 200 classes, with a stem of stride 2.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {
        "num_classes": 200,
        "channels": (16, 40, 64, 96),
        "depths": (1, 2, 2, 1),
        "kernel_sizes": (3, 5, 5, 3),
        "stem_stride": 2,
    }
    return _mote("mote_s2_120k", pretrained, size, kwargs)


@register_model
def mote_s2_450k(pretrained: bool = False, **kwargs: Any) -> Mote:
    """Mote of at most 450,000 parameters for photos of 64 pixels and 200 classes, with a stem of stride 2.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `Mote` and of timm.create_model.

    Returns:
        The model.
    """
    size = {
        "num_classes": 200,
        "channels": (16, 48, 96, 160),
        "depths": (1, 2, 4, 2),
        "kernel_sizes": (3, 5, 5, 3),
        "stem_stride": 2,
    }
    return _mote("mote_s2_450k", pretrained, size, kwargs)


def _mote(name: str, pretrained: bool, size: dict[str, Any], kwargs: dict[str, Any]) -> Mote:
    kwargs = size | kwargs
    feature_cfg = {"out_indices": tuple(range(len(kwargs["depths"]))), "flatten_sequential": True}
    return build_model(Mote, name, pretrained, feature_cfg, **kwargs)
