"""Values that change during a run. Each is a function of the step alone, so a resumed run needs no memory of it."""

import math
from collections.abc import Callable, Sequence

from timm.scheduler import CosineLRScheduler
from torch.optim import Optimizer

from tinynets.engine.recipes import Mixing, Recursion, Resize, Schedule


def learning_rate_setter(optimizer: Optimizer, schedule: Schedule, steps: int) -> Callable[[int], None]:
    """Create a function that sets the optimizer's learning rate for a step, counted from 0.

    steps: number of steps per epoch.
    """
    warmup = schedule.warmup_epochs * steps
    if schedule.kind == "one_cycle":
        return _one_cycle(optimizer, schedule, steps * schedule.epochs, warmup)
    if schedule.kind == "warmup_cosine":
        return _warmup_cosine(optimizer, schedule, (schedule.cosine_epochs or schedule.epochs) * steps, round(warmup))
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=(schedule.cosine_epochs or schedule.epochs) * steps,
        lr_min=schedule.min_lr,
        warmup_t=round(warmup),
        t_in_epochs=False,
    )
    return scheduler.step_update


def _warmup_cosine(optimizer: Optimizer, schedule: Schedule, total: int, warmup: int) -> Callable[[int], None]:
    """Rise linearly over `warmup` steps, then fall along half a cosine over the rest of `total`."""
    peaks = [group["lr"] for group in optimizer.param_groups]

    def set_step(step: int) -> None:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            if step < warmup:
                group["lr"] = peak * (step + 1) / (warmup + 1)
            else:
                group["lr"] = _cosine(peak, schedule.min_lr, min(1.0, (step - warmup) / max(total - warmup, 1)))

    return set_step


def _one_cycle(optimizer: Optimizer, schedule: Schedule, total: int, warmup: float) -> Callable[[int], None]:
    """torch's OneCycleLR as a function of the step."""
    peak = optimizer.param_groups[0]["lr"]
    momentum = optimizer.defaults.get("momentum", optimizer.defaults.get("betas", (0.0,))[0])
    low = max(momentum - 0.1, 0.0)

    def set_step(step: int) -> None:
        if step < warmup:
            lr, inertia = _cosine(peak / 25, peak, step / warmup), _cosine(momentum, low, step / warmup)
        else:
            share = (step - warmup) / (total - warmup)
            lr, inertia = _cosine(peak, schedule.min_lr, share), _cosine(low, momentum, share)
        for group in optimizer.param_groups:
            group["lr"] = lr
            if "momentum" in group:
                group["momentum"] = inertia
            elif "betas" in group:
                group["betas"] = (inertia, *group["betas"][1:])

    return set_step


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def active_steps(recursion: Recursion, deepest: int, epoch: float) -> int:
    """Number of steps per stage: 1 at the start, all steps of the deepest stage after the warm-up."""
    if epoch >= recursion.depth_warmup_epochs:
        return deepest
    return 1 + int(epoch / recursion.depth_warmup_epochs * (deepest - 1))


def temperature(recursion: Recursion, progress: float) -> float:
    """tau_start (tau_end / tau_start)^progress, with progress from 0 to 1 over the run."""
    return recursion.tau_start * (recursion.tau_end / recursion.tau_start) ** progress


def mixing_strength(mixing: Mixing, epochs: int, epoch: float) -> float:
    """Factor on the mixing probabilities: it rises linearly over ramp_epochs and is 0 in the last clean_epochs."""
    if epoch >= epochs - mixing.clean_epochs:
        return 0.0
    return min(1.0, epoch / mixing.ramp_epochs) if mixing.ramp_epochs else 1.0


def image_size(resize: Resize, epochs: int, epoch: float, full: Sequence[int]) -> tuple[int, int]:
    """(H, W) of the training images: initial_scale of the full size for delay_epochs, then growing linearly."""
    growing = epochs - resize.delay_epochs - resize.finetune_epochs
    if epoch >= epochs - resize.finetune_epochs or resize.initial_scale == 1:
        return full[0], full[1]
    progress = max(0.0, epoch - resize.delay_epochs) / growing if growing else 0.0
    scale = resize.initial_scale + (1 - resize.initial_scale) * progress
    unit = resize.size_increment
    height, width = (min(side, unit * max(1, math.floor(side * scale / unit + 0.5))) for side in full)
    return height, width
