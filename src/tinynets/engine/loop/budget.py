"""Number of epochs for a time budget."""

import contextlib
import logging
import math
import time
from dataclasses import replace
from typing import Any

from tinynets._modules import copied
from tinynets.engine.data import ImageData
from tinynets.engine.recipes import Recipe, with_epochs
from tinynets.engine.record.progress import duration

from .distributed import DistributedContext
from .run import Run

_logger = logging.getLogger(__name__)

_STEPS, _FIRST = 20, 4  # steps run, and warm-up steps not measured (kernel selection, memory allocation)
_MOST = 10  # maximum multiple of the recipe's epochs
_SHARE = 0.97  # fraction of the time that is scheduled


class _StopMeasuring(Exception):
    pass


def fit_epochs(
    model: Any, data: ImageData, recipe: Recipe, distributed: DistributedContext, minutes: float, started: float
) -> Recipe:
    """Set the number of epochs to fit a time budget, by timing a few steps with a copy of the model.

    The result is at most ten times the epochs of the recipe; further epochs do not improve a model.

    Args:
        model: the model, which is not changed.
        data: the data set.
        recipe: the training settings.
        distributed: the processes of the run.
        minutes: duration of the run, including validation and test.
        started: `time.perf_counter()` at its start.

    Raises:
        ValueError: not a single epoch fits.
    """
    if not minutes > 0:
        raise ValueError(f"minutes (--minutes) must be above 0, got {minutes:g}")
    without_views = replace(recipe, distill=replace(recipe.distill, views=0))  # as slow as their logits, or slower
    trial = Run(copied(model), data, without_views, distributed)
    try:
        step, validation = _measure(trial)
        images = len(trial.images.val_labels)
        final = 2 * validation * len(data.test_labels) / images if images else 0.0
        epoch = trial.steps * step + validation
    finally:
        trial.release()
    left = _SHARE * 60 * minutes - (time.perf_counter() - started) - final
    epochs = distributed.broadcast(
        min(math.floor(left / epoch), _MOST * trial.recipe.schedule.epochs) if distributed.is_main else None
    )
    if epochs < 1:
        least = math.ceil(10 * (epoch + 60 * minutes - left) / 60) / 10
        raise ValueError(
            f"{minutes:g} minutes (--minutes) are too short: the start, one epoch and the test take about "
            f"{duration(60 * least)} here; set at least {least:g}"
        )
    if distributed.is_main:
        plan = f"{epochs} epoch{'s' * (epochs != 1)} of about {duration(epoch)}"
        _logger.info(f"{plan} for {minutes:g} minutes (--minutes)")
    return with_epochs(recipe, epochs)


def _measure(trial: Run) -> tuple[float, float]:
    """Measure the duration of a step and of a validation, in seconds."""
    times = []

    def after_step() -> None:
        trial.loss_sum.item()  # synchronizes
        times.append(time.perf_counter())
        if len(times) == _STEPS:
            raise _StopMeasuring

    with contextlib.suppress(_StopMeasuring):
        while True:
            trial.train_epoch(after_step)
    before = time.perf_counter()
    trial.validate()
    return (times[-1] - times[_FIRST - 1]) / (_STEPS - _FIRST), time.perf_counter() - before
