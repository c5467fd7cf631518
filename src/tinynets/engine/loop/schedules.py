"""Schedules, as stateless functions of the step."""

from collections.abc import Callable

from timm.scheduler import CosineLRScheduler
from torch.optim import Optimizer

from tinynets.engine.recipes import Mixing, Schedule


def learning_rate_setter(optimizer: Optimizer, schedule: Schedule, steps: int) -> Callable[[int], None]:
    """Create a function that sets the optimizer's learning rate for a step, counted from 0, at `steps` per epoch."""
    total, warmup = (schedule.cosine_epochs or schedule.epochs) * steps, round(schedule.warmup_epochs * steps)
    after = schedule.kind == "warmup_cosine"  # the cosine begins after the warm-up, not with the run
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=max(total - warmup, 2) if after else total,  # timm warns of 1, and only t = 0 is asked for
        lr_min=schedule.min_lr,
        warmup_t=warmup,
        warmup_lr_init=optimizer.param_groups[0]["lr"] / (warmup + 1) if after else 0.0,
        warmup_prefix=after,
        t_in_epochs=False,
    )
    return scheduler.step_update


def mixing_strength(mixing: Mixing, epoch: float) -> float:
    """Return the factor on the mixing probabilities, which ramps up over ramp_epochs and is 0 from off_epoch on."""
    if mixing.off_epoch and epoch >= mixing.off_epoch:
        return 0.0
    return min(1.0, epoch / mixing.ramp_epochs) if mixing.ramp_epochs else 1.0
