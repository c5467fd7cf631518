from functools import partial
from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from timm.models import register_model
from torch import Tensor, nn

from tinynets._statistics import MNIST
from tinynets.layers import ConvBnAct

from .base import StagedClassifier, scale_width
from .factory import build_model, pretrained_cfgs

leaky_relu = partial(nn.LeakyReLU, negative_slope=0.1)


class ScaledResidual(nn.Module):
    """Residual block with a scaled shortcut: y = branch(x) + scale * x."""

    def __init__(self, branch: nn.Module, scale: float) -> None:
        super().__init__()
        self.branch = branch
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x) + self.scale * x

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class Flatten(nn.Flatten):
    pool_type = "flatten"


class FlattenMlpHead(nn.Module):
    """MLP head with timm's interface: flatten or pool -> Linear -> LayerNorm -> LeakyReLU -> dropout -> Linear.

    Args:
        in_features: number of channels of the feature map.
        map_size: (H, W) of the feature map.
        hidden_size: number of hidden units.
        num_classes: number of classes, 0 for no classifier.
        pool_type: "flatten", one of timm's pooling types, or "" to return the map unchanged (num_classes must be 0).
        drop_rate: dropout rate before the classifier.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_features, H, W) -> (N, num_classes); with pre_logits (N, hidden_size).
    """

    def __init__(
        self,
        in_features: int,
        map_size: tuple[int, int],
        hidden_size: int,
        num_classes: int,
        pool_type: str = "flatten",
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features = in_features
        if pool_type == "flatten":
            self.global_pool = Flatten()
            pooled = in_features * map_size[0] * map_size[1]
        else:
            self.global_pool = SelectAdaptivePool2d(pool_type=pool_type, flatten=bool(pool_type))
            pooled = in_features * self.global_pool.feat_mult()
        if pool_type:
            self.hidden = nn.Sequential(
                nn.Linear(pooled, hidden_size, **dd), nn.LayerNorm(hidden_size, **dd), leaky_relu()
            )
        else:
            self.hidden = nn.Identity()
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(hidden_size, num_classes, **dd) if num_classes else nn.Identity()

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = self.drop(self.hidden(self.global_pool(x)))
        return x if pre_logits else self.fc(x)


class SimpleCNN(StagedClassifier):
    """SimpleCNN for handwritten digits: two residual blocks with scaled shortcuts and a two-layer MLP head.

    21,614 parameters for 1x28x28 images and 10 classes.

    Args:
        num_classes: number of classes, 0 for the output of the head's hidden layer.
        in_chans: number of image channels.
        global_pool: "flatten", one of timm's pooling types, or "" for none.
        drop_rate: dropout rate before the last linear layer.
        img_size: image size in pixels, an int or (H, W); it determines the size of the head's first linear layer.
        width: width multiplier for all channel counts except in_chans.
        batch_stats: normalize with batch statistics in evaluation as well, as the published model did; the logits of an
            image then depend on the rest of its batch.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, *img_size) -> (N, num_classes).

    Raises:
        ValueError: img_size is below 4x4, width is not positive, or a classifier is requested without pooling.

    Examples:
        >>> import torch
        >>> from tinynets.models import SimpleCNN
        >>> SimpleCNN(img_size=8).eval()(torch.randn(1, 1, 8, 8)).shape
        torch.Size([1, 10])
    """

    default_pool = "flatten"

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 1,
        global_pool: str = "flatten",
        drop_rate: float = 0.0,
        img_size: int | tuple[int, int] = 28,
        width: float = 1.0,
        batch_stats: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        img_size = (img_size, img_size) if isinstance(img_size, int) else (img_size[0], img_size[1])
        if min(img_size) < 4:
            raise ValueError(f"img_size must be at least 4x4 for two poolings of 2, got {img_size[0]}x{img_size[1]}")
        super().__init__()
        self.img_size = img_size
        self.hidden_size = scale_width(32, width)
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        conv = partial(ConvBnAct, act_layer=leaky_relu, bias=True, batch_stats=batch_stats, **dd)
        first, narrow, last = scale_width(8, width), scale_width(6, width), scale_width(12, width, 3)
        stem = nn.Sequential(conv(in_chans, first, 5), conv(first, first, 3), nn.MaxPool2d(2))
        bottleneck = nn.Sequential(
            conv(first, narrow, 1), conv(narrow, narrow, 3), conv(narrow, first, 1, act_layer=None)
        )
        grouped = nn.Sequential(conv(last, last, 3, groups=3), conv(last, last, 3, groups=3, act_layer=None))
        transition = nn.Sequential(leaky_relu(), nn.MaxPool2d(2), conv(first, last, 1))
        self.assemble(
            stem=stem,
            stages=nn.Sequential(
                ScaledResidual(bottleneck, 2.5), nn.Sequential(transition, ScaledResidual(grouped, 2.0))
            ),
            feature_info=[
                {"num_chs": first, "reduction": 2, "module": "stages.0"},
                {"num_chs": last, "reduction": 4, "module": "stages.1"},
            ],
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            **dd,
        )

    def build_head(self, num_classes: int, global_pool: str, **dd: Any) -> tuple[nn.Module, int]:
        """Build the MLP head, reusing the trained hidden layer if the pooling is unchanged."""
        assert self.img_size is not None
        map_size = (self.img_size[0] // self.total_stride, self.img_size[1] // self.total_stride)
        head = FlattenMlpHead(
            self.num_features, map_size, self.hidden_size, num_classes, global_pool, self.drop_rate, **dd
        )
        old: Any = getattr(self, "head", None)
        if old is not None and (old.in_features, old.global_pool.pool_type) == (self.num_features, global_pool):
            head.hidden = old.hidden  # a new classifier reuses the trained hidden layer
        return head, self.hidden_size if global_pool else self.num_features


default_cfgs = pretrained_cfgs(
    "simplecnn_mnist",
    input_size=(1, 28, 28),
    fixed_input_size=True,
    pool_size=(7, 7),
    first_conv="stem.0.conv",
    **MNIST._asdict(),
)


@register_model
def simplecnn_mnist(pretrained: bool = False, **kwargs: Any) -> SimpleCNN:
    """SimpleCNN for MNIST, 1x28x28 and 10 classes.

    Args:
        pretrained: load the weights shipped with the package.
        **kwargs: arguments of `SimpleCNN` and of timm.create_model.

    Returns:
        The model.
    """
    feature_cfg = {"out_indices": (0, 1), "flatten_sequential": True}
    return build_model(SimpleCNN, "simplecnn_mnist", pretrained, feature_cfg, **kwargs)
