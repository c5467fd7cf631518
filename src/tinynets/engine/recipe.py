from dataclasses import asdict, dataclass, field
from typing import Any

from tinynets._checks import check_fraction, check_positive


def _check_at_least(low: float, **values: float) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= low:
            raise ValueError(f"{name} must be a number of at least {low:g}, got {value!r}")


@dataclass(frozen=True)
class Optimizer:
    """One of timm's optimizers by name, and what it is given. Norms and biases have no weight decay."""

    name: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        if not isinstance(self.lr, int | float) or not self.lr > 0:
            raise ValueError(f"optimizer.lr must be a positive number, got {self.lr!r}")
        check_fraction(**{"optimizer.momentum": self.momentum})
        _check_at_least(0, **{"optimizer.weight_decay": self.weight_decay})


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then half a cosine from the learning rate down to min_lr, set anew at every step.

    cosine_epochs: where the cosine would reach min_lr if the run went on, None for its end.
    """

    epochs: int = 30
    warmup_epochs: float = 2.0
    min_lr: float = 0.0
    cosine_epochs: int | None = None

    def __post_init__(self) -> None:
        check_positive(**{"schedule.epochs": self.epochs})
        _check_at_least(0, **{"schedule.warmup_epochs": self.warmup_epochs, "schedule.min_lr": self.min_lr})
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs ({self.warmup_epochs:g}) must be below schedule.epochs ({self.epochs})"
            )
        if self.cosine_epochs is not None and self.cosine_epochs < self.epochs:
            raise ValueError(
                f"schedule.cosine_epochs ({self.cosine_epochs}) must not be below schedule.epochs ({self.epochs})"
            )


@dataclass(frozen=True)
class Augment:
    """What happens to a training image, each number drawn anew for every image.

    pad: pixels of black border before a random crop back to size.
    flip: mirror half of the images.
    rotate: degrees to either side.
    scale: factor 1 - scale .. 1 + scale.
    shift: fraction of the side, in both directions.
    shear: degrees to either side.
    cutout: side in pixels of a square set to the mean colour.
    """

    pad: int = 0
    flip: bool = False
    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    cutout: int = 0

    def __post_init__(self) -> None:
        _check_at_least(
            0,
            **{f"augment.{name}": getattr(self, name) for name in ("pad", "rotate", "shear", "cutout")},
        )
        check_fraction(**{"augment.scale": self.scale, "augment.shift": self.shift})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a model is trained.

    label_smoothing: mass taken from the label and spread over all classes.
    ema_decay: of the running average of the weights that is validated and saved, 0 for none.
    val_size: fraction of the training set held out for validation, class by class; 0 trains on everything.
    seed: of the initial weights, the split, the order of the images and their augmentation.
    """

    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    augment: Augment = field(default_factory=Augment)
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    val_size: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(batch_size=self.batch_size)
        check_fraction(label_smoothing=self.label_smoothing, ema_decay=self.ema_decay, val_size=self.val_size)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed must be an integer of at least 0, got {self.seed!r}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
