from typing import Any

import torch
import torch.fx
from timm.layers import ClassifierHead
from timm.models import checkpoint_seq
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from tinynets._checks import check_images
from tinynets._modules import own_config
from tinynets.layers import ISNorm

torch.fx.wrap("check_images")


class StagedClassifier(nn.Module):
    """Base class of the models: timm's classifier interface for a stem, a sequence of stages and a head.

    A subclass builds `stem`, `stages` (nn.Sequential) and `feature_info` (one entry per stage) and passes them to
    `assemble`; the base class derives the rest of timm's interface from them.

    Examples:
        >>> import torch, tinynets
        >>> model = tinynets.create_model("optimized200k_cifar10").eval()
        >>> features = model.forward_features(torch.randn(1, 3, 32, 32))
        >>> features.shape, model.forward_head(features).shape
        (torch.Size([1, 160, 4, 4]), torch.Size([1, 10]))
    """

    num_classes: int
    in_chans: int
    num_features: int
    head_hidden_size: int
    default_pool = "avg"  # for a new classifier on a model without pooling

    def __init__(self) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.img_size: tuple[int, int] | None = None

    def assemble(
        self,
        stem: nn.Module,
        stages: nn.Sequential | None,
        feature_info: list[dict],
        num_classes: int,
        in_chans: int,
        global_pool: str,
        drop_rate: float,
        **dd: Any,
    ) -> None:
        """Register the submodules and create the head; called at the end of a subclass's `__init__`.

        Args:
            stem: module applied to the image.
            stages: one module per stage; None for a model that overrides `run_stages`.
            feature_info: num_chs, reduction and module name of each stage, in timm's format.
            num_classes: number of classes, 0 for no classifier.
            in_chans: number of image channels.
            global_pool: timm's pooling type, "" for none.
            drop_rate: dropout rate before the classifier.
            **dd: device and dtype of the head.
        """
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.stem = stem
        if stages is not None:
            self.stages = stages
        self.feature_info = feature_info
        self.total_stride: int = feature_info[-1]["reduction"]
        self.num_features = feature_info[-1]["num_chs"]
        self.set_head(num_classes, global_pool, **dd)

    def set_head(self, num_classes: int, global_pool: str, **dd: Any) -> None:
        """Create the head for num_classes and global_pool.

        Raises:
            ValueError: num_classes is negative, or a classifier is requested without pooling.
        """
        if num_classes < 0:
            raise ValueError(f"num_classes must be at least 0, got {num_classes}")
        if num_classes and not global_pool:
            raise ValueError(f"a classifier needs pooling: global_pool='' allows num_classes=0 only, got {num_classes}")
        self.num_classes = num_classes
        self.head, self.head_hidden_size = self.build_head(num_classes, global_pool, **dd)

    def build_head(self, num_classes: int, global_pool: str, **dd: Any) -> tuple[nn.Module, int]:
        """Build a head with timm's interface for `num_features` channels; return it and its classifier's input size."""
        head = ClassifierHead(self.num_features, num_classes, pool_type=global_pool, drop_rate=self.drop_rate, **dd)
        return head, self.num_features * head.global_pool.feat_mult()

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits.

        Args:
            x: normalized images, (N, in_chans, H, W).

        Returns:
            (N, num_classes).

        Raises:
            TypeError: x is not floating point.
            ValueError: x has another shape, or the images are too small.
        """
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute the last feature map: (N, in_chans, H, W) -> (N, num_features, H / stride, W / stride)."""
        if not torch.jit.is_scripting():
            check_images(x, self.in_chans, self.total_stride, self.img_size)
        return self.run_stages(self.stem(x))

    def run_stages(self, x: Tensor) -> Tensor:
        """Apply all stages to the output of the stem."""
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint_seq(self.stages, x)
        return self.stages(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Compute logits, (N, num_classes), from a feature map; with pre_logits the classifier's input instead."""
        return self.head(x, pre_logits)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Compute the feature maps of selected stages.

        Args:
            x: normalized images, (N, in_chans, H, W).
            indices: an int n for the last n stages, a sequence of stage indices, None for all stages.
            norm: ignored, since every stage ends in its own norm; part of timm's interface.
            stop_early: stop after the last selected stage.
            output_fmt: only "NCHW" is supported.
            intermediates_only: return only the selected feature maps.

        Returns:
            The last feature map and the list of selected ones; with intermediates_only the list alone.

        Raises:
            ValueError: output_fmt is not "NCHW".
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        take_indices, last = feature_take_indices(len(self.feature_info), indices)
        check_images(x, self.in_chans, self.total_stride, self.img_size)
        intermediates = []
        x = self.stem(x)
        for index in range(last + 1 if stop_early else len(self.feature_info)):
            x = self.forward_stage(x, index)
            if index in take_indices:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def forward_stage(self, x: Tensor, index: int) -> Tensor:
        """Apply one stage to the output of the previous one."""
        stage = self.stages[index]
        return checkpoint_seq([stage], x) if self.grad_checkpointing else stage(x)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Remove all stages after the last selected one, and the head that depended on them.

        Args:
            indices: an int n for the last n stages, or a sequence of stage indices.
            prune_norm: ignored; part of timm's interface.
            prune_head: also remove the head if no stage was removed.

        Returns:
            The selected stage indices, non-negative.
        """
        take_indices, last = feature_take_indices(len(self.feature_info), indices)
        if last < len(self.feature_info) - 1:
            self.prune_stages(last + 1)
            self.feature_info = self.feature_info[: last + 1]
            self.num_features = self.feature_info[-1]["num_chs"]
            self.total_stride = self.feature_info[-1]["reduction"]
            prune_head = True
        if prune_head:
            self.reset_classifier(0, "")
        return take_indices

    def prune_stages(self, keep: int) -> None:
        """Remove all stages but the first `keep`."""
        self.stages = self.stages[:keep]

    def get_classifier(self) -> nn.Module:
        """Return the last linear layer; nn.Identity if num_classes is 0."""
        head: Any = self.head
        return head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier with a newly initialized one.

        Args:
            num_classes: number of classes. With 0 the model returns pooled features, or the feature map if global_pool
                is "".
            global_pool: timm's pooling type. None preserves the current pooling, except that a model without pooling
                switches to its family's default if num_classes is positive.
        """
        head: Any = self.head
        parameter = next(self.parameters())
        pool = head.global_pool.pool_type if global_pool is None else global_pool
        if global_pool is None and num_classes and not pool:
            pool = self.default_pool
        self.set_head(num_classes, pool, device=parameter.device, dtype=parameter.dtype)
        self.head.train(self.training)
        own_config(self, num_classes=num_classes, label_names=None)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Enable or disable gradient checkpointing, which recomputes stages in the backward pass to save memory."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict:
        """Return regular expressions that group parameters by depth, for timm's layer-wise learning rate decay."""
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters without weight decay, in addition to the 1-D ones that timm excludes."""
        return set()


def init_residual_norms(norm: ISNorm) -> None:
    """Initialize every step's norm weight to 1 / num_steps, so that a recursion's residuals sum to the scale of one."""
    for step in norm.steps:
        nn.init.constant_(step.get_parameter("weight"), 1 / norm.num_steps)


def scale_width(channels: int, width: float, divisor: int = 1) -> int:
    """Scale a channel count by width and round it to the nearest positive multiple of divisor."""
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")
    return max(round(channels * width / divisor), 1) * divisor
