from typing import Any

import torch
import torch.fx
from timm.layers import ClassifierHead
from timm.models import checkpoint_seq
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from tinynets._checks import check_images
from tinynets.layers import ISNorm
from tinynets.ops import keep_gradient_layout

torch.fx.wrap("check_images")
torch.fx.wrap("keep_gradient_layout")


class StagedClassifier(nn.Module):
    """timm's classifier interface over three parts: stem -> stages -> head.

    A family builds `stem`, `stages` (nn.Sequential) and `feature_info` (one entry per stage) and hands them to
    `assemble`. Everything timm asks of a model follows.
    """

    num_classes: int
    in_chans: int
    num_features: int
    head_hidden_size: int
    default_pool = "avg"  # what a classifier gets that is put onto a model without pooling

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
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 0:
            raise ValueError(f"num_classes must be an integer of at least 0, got {num_classes!r}")
        if num_classes and not global_pool:
            raise ValueError(f"global_pool='' leaves a map that {num_classes} classes cannot sit on: set num_classes=0")
        self.num_classes = num_classes
        self.head, self.head_hidden_size = self.build_head(num_classes, global_pool, **dd)

    def build_head(self, num_classes: int, global_pool: str, **dd: Any) -> tuple[nn.Module, int]:
        """A head for `num_features` channels with timm's interface, and the width of what its classifier sees."""
        head = ClassifierHead(self.num_features, num_classes, pool_type=global_pool, drop_rate=self.drop_rate, **dd)
        return head, self.num_features * head.global_pool.feat_mult()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W) normalised images -> (N, num_classes) logits."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W) -> the last feature map, (N, num_features, H / stride, W / stride)."""
        if not torch.jit.is_scripting():
            check_images(x, self.in_chans, self.total_stride, self.img_size)
        return self.run_stages(self.stem(x))

    def run_stages(self, x: Tensor) -> Tensor:
        if self.grad_checkpointing and not torch.jit.is_scripting():
            return checkpoint_seq(self.stages, x)
        return self.stages(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The feature map -> logits, or with pre_logits the vector the classifier would see."""
        return self.head(keep_gradient_layout(x), pre_logits)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """The outputs of chosen stages, and unless intermediates_only the last feature map before them.

        Args:
            indices: the last n stages if int, all if None, the named ones if a sequence.
            norm: no effect: every stage ends in its own norm. Part of timm's interface.
            stop_early: do not compute stages behind the last one asked for.
            output_fmt: "NCHW" is the only one.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        taken, last = feature_take_indices(len(self.feature_info), indices)
        check_images(x, self.in_chans, self.total_stride, self.img_size)
        intermediates = []
        x = self.stem(x)
        for index in range(last + 1 if stop_early else len(self.feature_info)):
            x = self.forward_stage(x, index)
            if index in taken:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def forward_stage(self, x: Tensor, index: int) -> Tensor:
        stage = self.stages[index]
        return checkpoint_seq([stage], x) if self.grad_checkpointing else stage(x)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages behind the last one asked for, and the head that sat on them; returns the kept indices."""
        taken, last = feature_take_indices(len(self.feature_info), indices)
        if last < len(self.feature_info) - 1:
            self.prune_stages(last + 1)
            self.feature_info = self.feature_info[: last + 1]
            self.num_features = self.feature_info[-1]["num_chs"]
            self.total_stride = self.feature_info[-1]["reduction"]
            prune_head = True
        if prune_head:
            self.reset_classifier(0, "")
        return taken

    def prune_stages(self, keep: int) -> None:
        self.stages = self.stages[:keep]

    def get_classifier(self) -> nn.Module:
        head: Any = self.head
        return head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a new, untrained one.

        Args:
            num_classes: 0 for none: the model then returns pooled features, or the feature map if global_pool is "".
            global_pool: None keeps the pooling. A model without pooling gets its family's default back, if it gets
                classes.
        """
        head: Any = self.head
        parameter = next(self.parameters())
        pool = head.global_pool.pool_type if global_pool is None else global_pool
        if global_pool is None and num_classes and not pool:
            pool = self.default_pool
        self.set_head(num_classes, pool, device=parameter.device, dtype=parameter.dtype)
        self.head.train(self.training)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keep only the stages' inputs for the backward pass and compute the rest again."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict:
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)"}

    def no_weight_decay(self) -> set[str]:
        return set()


def share_residuals(norm: ISNorm) -> None:
    """Let every step's weights start at 1 / num_steps: the residuals of a recursion together are one of full size."""
    for step in norm.steps:
        nn.init.constant_(step.get_parameter("weight"), 1 / norm.num_steps)


def scale_width(channels: int, width: float, divisor: int = 1) -> int:
    """channels * width rounded to the nearest multiple of divisor, at least one of it."""
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")
    return max(round(channels * width / divisor), 1) * divisor
