from typing import Any

from tinynets.engine.recipes import Recipe, Recursion


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
