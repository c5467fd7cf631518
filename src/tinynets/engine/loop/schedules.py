"""Schedules, as stateless functions of the step."""

from collections.abc import Callable
from typing import Any

from timm.scheduler import CosineLRScheduler
from torch.optim import Optimizer

from tinynets.engine.recipes import Mixing, Recipe, Recursion, Schedule


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


class RecursionSchedule:
    """Schedule of the depth of recursive stages and the temperature of their gates, as functions of the epoch.

    Args:
        model: the model.
        recipe: the recipe, of which recursion and the number of epochs are used.

    Raises:
        ValueError: the model does not support the recipe's settings.
    """

    def __init__(self, model: Any, recipe: Recipe) -> None:
        self.model, self.recursion, self.epochs = model, recipe.recursion, recipe.schedule.epochs
        self.warms_up, self.anneals = bool(self.recursion.depth_warmup_epochs), self.recursion.tau_end != 1
        if self.warms_up and not hasattr(model, "set_active_steps"):
            raise ValueError(
                f"recursion.depth_warmup_epochs needs a model with recursive stages, {type(model).__name__} has none"
            )
        if self.anneals and not hasattr(model, "set_tau"):
            raise ValueError(f"recursion.tau_end needs gates with a temperature, {type(model).__name__} has none")
        self.deepest = max((stage.num_steps for stage in model.stages), default=1) if self.warms_up else 1

    def set(self, epoch: float) -> int:
        """Set the model's depth and temperature; return the maximum number of steps per stage."""
        depth = self.deepest
        if self.warms_up:
            depth = active_steps(self.recursion, self.deepest, epoch)
            self.model.set_active_steps(depth)
        if self.anneals:
            self.model.set_tau(temperature(self.recursion, epoch / self.epochs))
        return depth


def active_steps(recursion: Recursion, deepest: int, epoch: float) -> int:
    """Return the number of steps per stage: 1 at the start, all steps of the deepest stage after the warm-up."""
    if epoch >= recursion.depth_warmup_epochs:
        return deepest
    return 1 + int(epoch / recursion.depth_warmup_epochs * (deepest - 1))


def temperature(recursion: Recursion, progress: float) -> float:
    """tau_end^progress, with progress from 0 to 1 over the run."""
    return recursion.tau_end**progress
