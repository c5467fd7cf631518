"""Schedules, as stateless functions of the step."""

import math
from collections.abc import Callable

from timm.scheduler import CosineLRScheduler
from torch.optim import Optimizer

from tinynets.engine.recipes import Mixing, Schedule


def learning_rate_setter(optimizer: Optimizer, schedule: Schedule, steps: int) -> Callable[[int], None]:
    """Create a function that sets the optimizer's learning rate for a step, counted from 0, at `steps` per epoch."""
    warmup = round(schedule.warmup_epochs * steps)
    if schedule.kind == "warmup_cosine":
        return _warmup_cosine(optimizer, schedule, (schedule.cosine_epochs or schedule.epochs) * steps, warmup)
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=(schedule.cosine_epochs or schedule.epochs) * steps,
        lr_min=schedule.min_lr,
        warmup_t=warmup,
        t_in_epochs=False,
    )
    return scheduler.step_update


def _warmup_cosine(optimizer: Optimizer, schedule: Schedule, total: int, warmup: int) -> Callable[[int], None]:
    """Linear warm-up over `warmup` steps, then a half-cosine decay over the rest of `total`."""
    peaks = [group["lr"] for group in optimizer.param_groups]

    def set_step(step: int) -> None:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            if step < warmup:
                group["lr"] = peak * (step + 1) / (warmup + 1)
            else:
                group["lr"] = _cosine(peak, schedule.min_lr, min(1.0, (step - warmup) / max(total - warmup, 1)))

    return set_step


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def mixing_strength(mixing: Mixing, epoch: float) -> float:
    """Return the factor on the mixing probabilities, which ramps up over ramp_epochs and is 0 from off_epoch on."""
    if mixing.off_epoch and epoch >= mixing.off_epoch:
        return 0.0
    return min(1.0, epoch / mixing.ramp_epochs) if mixing.ramp_epochs else 1.0
