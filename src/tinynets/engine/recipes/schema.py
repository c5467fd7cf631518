"""What decides how a model is trained: frozen dataclasses that refuse what does not make sense, by the field's name."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

from timm.optim import get_optimizer_info, list_optimizers

from .section import Section


@dataclass(frozen=True)
class Optimizer(Section):
    """One of timm's optimizers by name ("sgd" is Nesterov's), and what it is given.

    Norms, biases and other one-dimensional parameters have no weight decay.

    "muon" steps along the orthogonalised momentum of matrices and of convolution kernels, each taken as a matrix of
    out_chans rows: stem and classifier included, and the symmetric matrices that SymmetricConv1x1 packs. To an AdamW
    within it leaves depthwise kernels, biases, the weights of norms, and matrices with a side below 4 or one side more
    than 128 times the other.

    momentum: None for the usual 0.9. Refused where the optimizer has none: Adam's kind has betas, which stay timm's.
    adamw_lr: the learning rate of Muon's AdamW at its highest, None for the same as lr; it follows the same schedule.
    muon_precision: of that orthogonalisation, "bf16" or "fp32". A processor without bf16 units emulates it: there
        fp32 is about 20 times faster.
    """

    prefix: ClassVar[str] = "optimizer."

    name: str = "sgd"
    lr: float = 0.1
    momentum: float | None = None
    weight_decay: float = 5e-4
    muon_precision: str = "bf16"
    adamw_lr: float | None = None

    def check(self) -> None:
        self.one_of("name", tuple(map(str, list_optimizers())))
        self.one_of("muon_precision", ("bf16", "fp32"))
        self.positive("lr")
        self.at_least(0, "weight_decay")
        if self.momentum is not None:
            self.below_one("momentum")
        if self.adamw_lr is not None:
            self.positive("adamw_lr")
        for option in self.ignored(self.name):
            if (value := getattr(self, option)) != type(self).__dataclass_fields__[option].default:
                raise ValueError(f"optimizer.{option} {value!r} means nothing to {self.name}: leave it out")

    @staticmethod
    def ignored(name: str) -> tuple[str, ...]:
        """Options that an optimizer has no use for."""
        none = () if get_optimizer_info(name).has_momentum else ("momentum",)
        return none if name == "muon" else (*none, "muon_precision", "adamw_lr")

    @property
    def inertia(self) -> float | None:
        """The momentum it trains with, None where it has none."""
        if "momentum" in self.ignored(self.name):
            return None
        return 0.9 if self.momentum is None else self.momentum


@dataclass(frozen=True)
class Schedule(Section):
    """How long, and the learning rate at every step.

    "warmup_cosine" rises linearly over warmup_epochs, from above 0 in the first step to lr in the step behind the
    warm-up, and falls from there along half a cosine to min_lr. "cosine" is its older form, which the shipped weights
    were trained with: the first step's rate is 0, and the cosine has begun with the run, so that the rate drops a
    little where the warm-up ends. "one_cycle" is Smith's: half a cosine up from lr / 25 over warmup_epochs, half a
    cosine down to min_lr, momentum going 0.1 down and up again.

    cosine_epochs: where the cosine would reach min_lr if the run went on, None for its end.
    patience: stop after so many epochs without a better validation accuracy, 0 for never.
    """

    prefix: ClassVar[str] = "schedule."

    epochs: int = 30
    warmup_epochs: float = 2.0
    min_lr: float = 0.0
    cosine_epochs: int | None = None
    kind: str = "warmup_cosine"
    patience: int = 0

    def check(self) -> None:
        self.at_least(1, "epochs")
        self.at_least(0, "warmup_epochs", "min_lr", "patience")
        self.one_of("kind", ("warmup_cosine", "cosine", "one_cycle"))
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs ({self.warmup_epochs:g}) must be below schedule.epochs ({self.epochs})"
            )
        if self.cosine_epochs is not None and self.cosine_epochs < self.epochs:
            raise ValueError(
                f"schedule.cosine_epochs ({self.cosine_epochs}) must not be below schedule.epochs ({self.epochs})"
            )
        if self.kind == "one_cycle" and (self.cosine_epochs is not None or self.warmup_epochs == 0):
            raise ValueError("schedule.kind one_cycle needs schedule.warmup_epochs above 0 and no cosine_epochs")


@dataclass(frozen=True)
class Augment(Section):
    """What happens to a training image, each number drawn anew for every image, in the order of the fields.

    pad: pixels added on every side before a random crop back to size.
    pad_mode: what they are, "constant" (black) or "reflect" (the image mirrored).
    flip: mirror half of the images.
    policy: "autoaugment" (the CIFAR-10 policy) or "trivialaugment" (wide).
    rotate, shear: degrees to either side.
    scale: factor 1 - scale .. 1 + scale.
    shift: fraction of the side, in both directions.
    contrast, brightness: x (1 + contrast) + brightness, x in 0..1, each from -value to value.
    hue, saturation, value: added in HSV space, hue in degrees, the others of 0..1.
    cutout: side in pixels of cutout_holes squares set to the mean colour.
    affine_prob, light_prob, hsv_prob, cutout_prob: the share of images that get it at all.
    """

    prefix: ClassVar[str] = "augment."

    pad: int = 0
    pad_mode: str = "constant"
    flip: bool = False
    policy: str | None = None
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    affine_prob: float = 1.0
    contrast: float = 0.0
    brightness: float = 0.0
    light_prob: float = 1.0
    hue: float = 0.0
    saturation: float = 0.0
    value: float = 0.0
    hsv_prob: float = 1.0
    cutout: int = 0
    cutout_holes: int = 1
    cutout_prob: float = 1.0

    def check(self) -> None:
        self.at_least(0, "pad", "rotate", "shear", "contrast", "brightness", "hue", "saturation", "value", "cutout")
        self.at_least(1, "cutout_holes")
        self.below_one("scale", "shift")
        self.probability("affine_prob", "light_prob", "hsv_prob", "cutout_prob")
        self.one_of("pad_mode", ("constant", "reflect"))
        if self.policy is not None:
            self.one_of("policy", ("autoaugment", "trivialaugment"))


@dataclass(frozen=True)
class Mixing(Section):
    """Images made of several: the share of batches that get each kind, every image with a mixture of its own.

    mixup, cutmix, ricap: probabilities, their sum at most 1.
    mixup_alpha, cutmix_alpha, ricap_beta: of the Beta(a, a) that shares are drawn from.
    ramp_epochs: the probabilities grow from 0 over so many epochs at the start.
    clean_epochs: no mixing in so many epochs at the end.
    """

    prefix: ClassVar[str] = "mixing."

    mixup: float = 0.0
    cutmix: float = 0.0
    ricap: float = 0.0
    mixup_alpha: float = 0.2
    cutmix_alpha: float = 1.0
    ricap_beta: float = 0.3
    ramp_epochs: float = 0.0
    clean_epochs: float = 0.0

    def check(self) -> None:
        self.probability("mixup", "cutmix", "ricap")
        self.positive("mixup_alpha", "cutmix_alpha", "ricap_beta")
        self.at_least(0, "ramp_epochs", "clean_epochs")
        if self.any > 1 + 1e-9:
            raise ValueError(f"mixing.mixup + mixing.cutmix + mixing.ricap must be at most 1, got {self.any:g}")

    @property
    def any(self) -> float:
        return self.mixup + self.cutmix + self.ricap


@dataclass(frozen=True)
class Resize(Section):
    """Progressive resizing: training images are small at first and reach their full size before the end.

    Images are augmented and mixed at full size and shrunk afterwards, so every augmentation keeps its proportions. A
    teacher sees the full-size images. Validation and test images always have the full size.

    initial_scale: side of the first images as a fraction of the full side, 1 for full size throughout.
    delay_epochs: epochs at initial_scale. After them the side grows linearly.
    finetune_epochs: epochs at full size at the end.
    size_increment: sides are rounded to multiples of so many pixels.

    Source: the same schedule as Composer's ProgressiveResizing, with epochs in place of fractions.
    """

    prefix: ClassVar[str] = "resize."

    initial_scale: float = 1.0
    delay_epochs: float = 0.0
    finetune_epochs: float = 0.0
    size_increment: int = 4

    def check(self) -> None:
        self.positive("initial_scale")
        self.probability("initial_scale")
        self.at_least(0, "delay_epochs", "finetune_epochs")
        self.at_least(1, "size_increment")
        if self.initial_scale == 1 and (self.delay_epochs or self.finetune_epochs):
            raise ValueError("resize.delay_epochs and resize.finetune_epochs need resize.initial_scale below 1")
        if self.initial_scale < 1 and not self.finetune_epochs:
            raise ValueError("resize.initial_scale below 1 needs resize.finetune_epochs at full size, at least 1")


@dataclass(frozen=True)
class Recursion(Section):
    """For models whose stages are applied to themselves behind gates (EGRR).

    depth_warmup_epochs: active steps a stage grow from 1 to all over so many epochs.
    tau_start, tau_end: temperature of the gates, falling geometrically over the whole run.
    """

    prefix: ClassVar[str] = "recursion."

    depth_warmup_epochs: float = 0.0
    tau_start: float = 1.0
    tau_end: float = 1.0

    def check(self) -> None:
        self.at_least(0, "depth_warmup_epochs")
        self.positive("tau_start", "tau_end")


@dataclass(frozen=True)
class Distill(Section):
    """A teacher that sees the same augmented, mixed images: loss = (1 - weight) CE + weight T^2 KL(teacher, student).

    teacher: a model of tinynets or timm by name (its pretrained weights), or a checkpoint of ours; None for none.
    kind: "kd" (Hinton 2015) or "logit_std", which standardises both logits first (Sun 2024).
    """

    prefix: ClassVar[str] = "distill."

    teacher: str | None = None
    kind: str = "kd"
    weight: float = 0.9
    temperature: float = 4.0

    def check(self) -> None:
        self.one_of("kind", ("kd", "logit_std"))
        self.probability("weight")
        self.positive("temperature")


@dataclass(frozen=True)
class Recipe(Section):
    """Everything that decides how a model is trained.

    batch_size: images an optimizer step, over all processes and accumulation steps together.
    accumulate: backward passes a step.
    label_smoothing: mass taken from the label and spread over all classes.
    class_weights: "balanced" weighs every image by (images / classes) / images of its class, so that all classes count
        alike however many images they have; "none" counts every image once.
    clip_grad: largest norm of the whole gradient, 0 for no limit.
    ema_decay: of the running average of weights and buffers that is validated and saved, 0 for none.
    drop_rate: dropout before the classifier, None for the model's own.
    freeze: "body" trains the classifier alone: all other weights and the statistics of their norms stay as they are.
    bn_images: clean training images on which the saved model's batch norm statistics are estimated anew at the end.
    precision: "fp32", or autocast in "bf16" or "fp16" (with loss scaling).
    channels_last, compile: memory format; torch.compile of the training step's forward and backward.
    sync_bn: batch norm over all processes (CUDA only).
    val_size: fraction of the training set held out for validation, class by class; 0 trains on everything.
    seed: of the initial weights, the split, the order of the images, their augmentation and the model's noise.
    """

    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    mixing: Mixing = field(default_factory=Mixing)
    resize: Resize = field(default_factory=Resize)
    recursion: Recursion = field(default_factory=Recursion)
    distill: Distill = field(default_factory=Distill)
    label_smoothing: float = 0.0
    class_weights: str = "none"
    clip_grad: float = 0.0
    ema_decay: float = 0.0
    drop_rate: float | None = None
    freeze: str = "none"
    bn_images: int = 0
    accumulate: int = 1
    precision: str = "fp32"
    channels_last: bool = True
    compile: bool = False
    sync_bn: bool = False
    val_size: float = 0.1
    seed: int = 0

    def check(self) -> None:
        self.at_least(1, "batch_size", "accumulate")
        self.at_least(0, "clip_grad", "bn_images", "seed")
        self.below_one("label_smoothing", "ema_decay", "val_size")
        if self.drop_rate is not None:
            self.below_one("drop_rate")
        self.one_of("precision", ("fp32", "bf16", "fp16"))
        self.one_of("class_weights", ("none", "balanced"))
        self.one_of("freeze", ("none", "body"))
        if self.freeze == "body" and self.bn_images:
            raise ValueError("bn_images changes the statistics of norms, which freeze=body keeps: set one of the two")
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate ({self.accumulate}) must divide batch_size ({self.batch_size})")
        epochs = self.schedule.epochs
        for name, span in {
            "recursion.depth_warmup_epochs": self.recursion.depth_warmup_epochs,
            "mixing.ramp_epochs + mixing.clean_epochs": self.mixing.ramp_epochs + self.mixing.clean_epochs,
            "resize.delay_epochs + resize.finetune_epochs": self.resize.delay_epochs + self.resize.finetune_epochs,
        }.items():
            if span > epochs:
                raise ValueError(f"{name} ({span:g}) must not be above schedule.epochs ({epochs})")
        if self.schedule.patience and not self.val_size:
            raise ValueError("schedule.patience needs a validation split: val_size must be above 0")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
