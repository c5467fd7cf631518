"""Recipes: frozen dataclasses of all training settings, validated field by field."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from timm.optim import get_optimizer_info, list_optimizers

from tinynets._checks import unknown

from .section import (
    BelowOne,
    NonNegative,
    NonNegativeInt,
    Positive,
    PositiveInt,
    Probability,
    Section,
)

_UNUSABLE = ("adahessian", "bnb", "fused")  # they need second derivatives, bitsandbytes, apex


@dataclass(frozen=True)
class Optimizer(Section):
    """Settings of the optimizer, one of timm's by name.

    Weight decay is not applied to norms, biases and other 1-D parameters. "sgd" uses Nesterov momentum.

    "muon" updates matrices along their orthogonalized momentum, including the stem, the classifier and the symmetric
    matrices of SymmetricConv1x1; a convolution kernel counts as a matrix with out_chans rows. AdamW updates the rest:
    depthwise kernels, biases, the weights of norms, and matrices with a dimension below 4 or an aspect ratio above 128.

    Attributes:
        name: name of the optimizer in timm.
        lr: peak learning rate.
        momentum: None for 0.9. Only for optimizers with momentum; the betas of Adam and its variants are timm's.
        weight_decay: weight decay coefficient.
        muon_precision: "bf16" or "fp32", for the orthogonalization of Muon. On CPUs without bf16 units, fp32 is about
            20 times faster.

    Raises:
        ValueError: a value is invalid, or the optimizer does not support an option.

    Examples:
        >>> from tinynets.engine import Optimizer
        >>> Optimizer("adamw", lr=1e-3, weight_decay=0.05).name
        'adamw'
    """

    prefix: ClassVar[str] = "optimizer."

    name: str = "sgd"
    lr: Positive = 0.1
    momentum: BelowOne | None = None
    weight_decay: NonNegative = 5e-4
    muon_precision: Literal["bf16", "fp32"] = "bf16"

    def check(self) -> None:
        """Raise ValueError unless the optimizer exists and supports the options."""
        names = [name for name in map(str, list_optimizers()) if not name.startswith(_UNUSABLE)]
        if self.name not in names:
            raise unknown("optimizer.name", self.name, names)
        for option in self.unsupported_options(self.name):
            if (value := getattr(self, option)) != type(self).__dataclass_fields__[option].default:
                raise ValueError(f"{self.name} does not use optimizer.{option}, got {value!r}: omit it")

    @staticmethod
    def unsupported_options(name: str) -> tuple[str, ...]:
        """Return the options that the optimizer does not support."""
        unsupported = () if get_optimizer_info(name).has_momentum else ("momentum",)
        return unsupported if name == "muon" else (*unsupported, "muon_precision")

    @property
    def used_momentum(self) -> float | None:
        """The momentum, None for an optimizer without one."""
        if "momentum" in self.unsupported_options(self.name):
            return None
        return 0.9 if self.momentum is None else self.momentum


@dataclass(frozen=True)
class Schedule(Section):
    """Settings of the learning rate schedule and the length of training.

    - "warmup_cosine" increases the rate linearly over warmup_epochs, then decays it along half a cosine to min_lr. The
      first step has a rate above 0, and the step after the warm-up has the peak rate.
    - "cosine" is the older form, with which the shipped weights of SimpleCNN were trained. It starts at 0, and
      its cosine begins with the run, so that the rate drops slightly at the end of the warm-up.

    Attributes:
        epochs: number of epochs.
        min_steps: minimum number of steps, for which a run on few images gets more epochs. 0 for none.
        warmup_epochs: duration of the warm-up in epochs.
        min_lr: final learning rate.
        cosine_epochs: epoch at which the cosine would reach min_lr, at least epochs. None for the end of the run.
        kind: "warmup_cosine" or "cosine".
        patience: number of epochs without improvement of the validation accuracy before early stopping, 0 for none.

    Raises:
        ValueError: a value is invalid.

    Examples:
        >>> from tinynets.engine import Schedule
        >>> Schedule(epochs=100, warmup_epochs=5).kind
        'warmup_cosine'
    """

    prefix: ClassVar[str] = "schedule."

    epochs: PositiveInt = 30
    min_steps: NonNegativeInt = 0
    warmup_epochs: NonNegative = 2.0
    min_lr: NonNegative = 0.0
    cosine_epochs: int | None = None
    kind: Literal["warmup_cosine", "cosine"] = "warmup_cosine"
    patience: NonNegativeInt = 0

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs ({self.warmup_epochs:g}) must be below schedule.epochs ({self.epochs})"
            )
        if self.cosine_epochs is not None and self.cosine_epochs < self.epochs:
            raise ValueError(
                f"schedule.cosine_epochs ({self.cosine_epochs}) must not be below schedule.epochs ({self.epochs})"
            )


@dataclass(frozen=True)
class Augment(Section):
    """Settings of the augmentation of training images, with parameters drawn per image, uniform within the bounds.

    Attributes:
        pad: padding of every side in pixels before a random crop to the original size.
        pad_mode: "constant" for zero padding, "reflect" for reflection padding.
        flip: flip images horizontally with probability 1/2.
        policy: "autoaugment" (the CIFAR-10 policy) or None.
        rotate: maximum rotation in either direction, in degrees.
        scale: maximum change of scale: factors from 1 - scale to 1 + scale.
        shift: maximum shift along both axes, as a fraction of the image size.
        shear: maximum shear in either direction, in degrees.
        affine_prob: probability of rotation, scaling, shift and shear.
        contrast: maximum change of contrast: x (1 + contrast), x in 0..1.
        brightness: maximum change of brightness: x + brightness, x in 0..1.
        light_prob: probability of a change of contrast and brightness.
        hue: maximum change of hue, in degrees.
        saturation: maximum change of saturation, in 0..1.
        value: maximum change of value, in 0..1.
        hsv_prob: probability of a change of hue, saturation and value.
        cutout: size of the cutout square in pixels, which is filled with the mean color.
        cutout_prob: probability of cutout.

    Raises:
        ValueError: a value is invalid.

    Examples:
        >>> from tinynets.engine import Augment
        >>> Augment(pad=4, flip=True, cutout=8).pad_mode
        'constant'
    """

    prefix: ClassVar[str] = "augment."

    pad: NonNegativeInt = 0
    pad_mode: Literal["constant", "reflect"] = "constant"
    flip: bool = False
    policy: Literal["autoaugment"] | None = None
    rotate: NonNegative = 0.0
    scale: BelowOne = 0.0
    shift: BelowOne = 0.0
    shear: NonNegative = 0.0
    affine_prob: Probability = 1.0
    contrast: NonNegative = 0.0
    brightness: NonNegative = 0.0
    light_prob: Probability = 1.0
    hue: NonNegative = 0.0
    saturation: NonNegative = 0.0
    value: NonNegative = 0.0
    hsv_prob: Probability = 1.0
    cutout: NonNegativeInt = 0
    cutout_prob: Probability = 1.0


@dataclass(frozen=True)
class Mixing(Section):
    """Settings of mixup, CutMix and RICAP: at most one is applied to a batch, with parameters drawn per image.

    Attributes:
        mixup: probability of mixup, with coefficients from Beta(0.2, 0.2). The three probabilities sum to at most 1.
        cutmix: probability of CutMix, with areas from Beta(1, 1).
        ricap: probability of RICAP, with boundary points from Beta(0.3, 0.3).
        ramp_epochs: number of initial epochs over which the probabilities increase from 0.
        off_epoch: epoch, counted from 0, at which mixing ends, as timm's mixup_off_epoch. 0 for never.

    Raises:
        ValueError: a value is invalid.

    Source: Zhang et al., mixup, 2017; Yun et al., CutMix, 2019; Takahashi et al., RICAP, 2018.

    Examples:
        >>> from tinynets.engine import Mixing
        >>> Mixing(cutmix=0.5, ramp_epochs=10).any
        0.5
    """

    prefix: ClassVar[str] = "mixing."

    mixup: Probability = 0.0
    cutmix: Probability = 0.0
    ricap: Probability = 0.0
    ramp_epochs: NonNegative = 0.0
    off_epoch: NonNegative = 0.0

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.any > 1 + 1e-9:
            raise ValueError(f"mixing.mixup + mixing.cutmix + mixing.ricap must be at most 1, got {self.any:g}")

    @property
    def any(self) -> float:
        """Probability that a batch is mixed."""
        return self.mixup + self.cutmix + self.ricap


@dataclass(frozen=True)
class Recursion(Section):
    """Settings for recursive models with gates (EGRR).

    Attributes:
        depth_warmup_epochs: number of epochs over which the number of steps per stage increases from 1 to its maximum.
        tau_end: final temperature of the gates, annealed geometrically from 1 over the whole run.

    Raises:
        ValueError: a value is invalid.

    Examples:
        >>> from tinynets.engine import Recursion
        >>> Recursion(depth_warmup_epochs=10).tau_end
        1.0
    """

    prefix: ClassVar[str] = "recursion."

    depth_warmup_epochs: NonNegative = 0.0
    tau_end: Positive = 1.0


@dataclass(frozen=True)
class Distill(Section):
    """Settings of knowledge distillation from a teacher applied to the same augmented and mixed images.

    loss = (1 - weight) CE + weight T^2 KL(softmax(teacher / T) || softmax(student / T))

    Attributes:
        teacher: name of a model with pretrained weights, or a checkpoint. None for no teacher.
        kind: "kd", or "logit_std", which standardizes the logits of teacher and student first.
        weight: weight of the distillation term in the loss, in 0..1.
        temperature: softmax temperature T.
        views: number of fixed augmented views of every training image, whose teacher logits are precomputed; mixing
            then mixes logits. 0 to augment and run the teacher at every step.

    Raises:
        ValueError: a value is invalid.

    Source: Hinton et al., Distilling the Knowledge in a Neural Network, 2015; Sun et al., Logit Standardization in
    Knowledge Distillation, 2024.

    Examples:
        >>> from tinynets.engine import Distill
        >>> Distill(teacher="runs/teacher/last.safetensors", kind="logit_std").weight
        0.9
    """

    prefix: ClassVar[str] = "distill."

    teacher: str | None = None
    kind: Literal["kd", "logit_std"] = "kd"
    weight: Probability = 0.9
    temperature: Positive = 4.0
    views: NonNegativeInt = 0

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.views and self.teacher is None:
            raise ValueError(f"distill.views ({self.views}) needs distill.teacher: set a teacher or omit views")


@dataclass(frozen=True)
class Recipe(Section):
    """All training settings of a model.

    Attributes:
        batch_size: images per optimizer step, over all processes.
        optimizer: settings of the optimizer.
        schedule: number of epochs and learning rate schedule.
        augment: augmentation of single images.
        mixing: mixup, CutMix and RICAP.
        recursion: settings of recursive models.
        distill: knowledge distillation.
        label_smoothing: label smoothing factor, the probability distributed uniformly over all classes.
        class_weights: "balanced" weights every image by (images / classes) / images of its class; "none" weights all
            images equally.
        clip_grad: maximum global gradient norm, 0 for no clipping.
        ema_decay: decay of the exponential moving average of weights and buffers, which is validated and saved. 0 for
            no average.
        drop_rate: dropout rate before the classifier, None for the model's default.
        freeze: "backbone" trains only the classifier, with all other weights and running statistics frozen; "none"
            trains all parameters.
        bn_images: number of clean training images for the recomputation of batch norm statistics at the end.
        precision: "fp32", or autocast in "bf16".
        val_size: fraction of every class of the training set held out for validation. 0 to train on all images.
        seed: seed of the initial weights, the split, the order of the images, their augmentation and the model's noise.

    Raises:
        ValueError: a value is invalid, or values contradict each other.

    Examples:
        >>> from tinynets.engine import Optimizer, Recipe, Schedule
        >>> recipe = Recipe(batch_size=64, optimizer=Optimizer("adamw", lr=1e-3), schedule=Schedule(epochs=10))
        >>> recipe.schedule.epochs
        10
    """

    batch_size: PositiveInt = 128
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    mixing: Mixing = field(default_factory=Mixing)
    recursion: Recursion = field(default_factory=Recursion)
    distill: Distill = field(default_factory=Distill)
    label_smoothing: BelowOne = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    clip_grad: NonNegative = 0.0
    ema_decay: BelowOne = 0.0
    drop_rate: BelowOne | None = None
    freeze: Literal["none", "backbone"] = "none"
    bn_images: NonNegativeInt = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    val_size: BelowOne = 0.1
    seed: NonNegativeInt = 0

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.freeze == "backbone" and self.bn_images:
            raise ValueError(
                "bn_images recomputes batch norm statistics, which freeze=backbone keeps: set only one of them"
            )
        epochs = self.schedule.epochs
        for name, span in {
            "recursion.depth_warmup_epochs": self.recursion.depth_warmup_epochs,
            "mixing.ramp_epochs": self.mixing.ramp_epochs,
            "mixing.off_epoch": self.mixing.off_epoch,
        }.items():
            if span > epochs:
                raise ValueError(f"{name} ({span:g}) must not be above schedule.epochs ({epochs})")

    def to_dict(self) -> dict[str, Any]:
        """Convert to nested dictionaries, the inverse of `recipe_from_dict`."""
        return dataclasses.asdict(self)
