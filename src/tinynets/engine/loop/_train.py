import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinynets._context import cudnn_benchmark, plain_defaults, preserve_rng_state
from tinynets._modules import unwrapped
from tinynets.engine.data import ImageData
from tinynets.engine.recipes import Recipe
from tinynets.engine.record import Checkpoint, RunDir
from tinynets.engine.record.checkpoint import configure
from tinynets.models import full_name

from .budget import fit_epochs
from .build import Start, adapt_to_checkpoint, check_fit, find_start, model_for_data
from .distributed import distributed_context
from .interrupt import interruptible
from .loss import with_absolute_teacher
from .malloc import freed_memory_kept
from .run import Run
from .trainer import Trainer

_logger = logging.getLogger(__name__)


def train(
    model: str | nn.Module,
    data: ImageData,
    recipe: Recipe,
    out: str | Path,
    device: str | torch.device = "cpu",
    model_args: dict[str, Any] | None = None,
    resume: bool = False,
    save_seconds: float = 60.0,
    tensorboard: bool = False,
    pretrained: bool = False,
    init: str | Path | None = None,
    minutes: float | None = None,
) -> dict[str, Any]:
    """Train a model and write a run directory.

    The directory contains recipe.json, metrics.csv (one row per epoch), best.safetensors (best validation accuracy),
    last.safetensors, state.pt (for resuming), summary.json and, where they apply, skipped.txt (images that were
    skipped), split.json (the split of class folders) and duplicates.txt (near duplicates across it). The test set is
    evaluated once, at the end, with the last and the best weights. Under torchrun, training is distributed over its
    processes.

    Global settings are restored at the end: glibc's malloc (see `loop/malloc.py`), torch's global generators, default
    device and dtype, and signal handlers.

    Args:
        model: name of a tinynets or timm model, whose classes, channels and image size follow the data; or a module
            that returns logits (N, classes). A module is trained in place, its initial weights do not depend on
            recipe.seed, and its checkpoints can only be loaded into such a module.
        data: the data set.
        recipe: the training settings.
        out: the run directory, created if necessary.
        device: device to train on.
        model_args: further arguments of the model's class, such as {"width": 0.5}.
        resume: resume the run in out, or start one if there is none; the result is bitwise equal to that of an
            uninterrupted run. With more epochs in the recipe, a finished run is extended: weights, optimizer state and
            random number generators are restored, and the schedule is that of the longer run.
        save_seconds: interval in seconds between saves of the state, which is also saved after every epoch.
        tensorboard: also log to out/tensorboard; requires the package tensorboard.
        pretrained: initialize from the pretrained weights of the model.
        init: initialize from a checkpoint, a run directory, or the name of a model with weights. With init or
            pretrained the classifier is reinitialized unless the classes are the same, the first layer is adapted to
            the channels, and images are normalized as for these weights.
        minutes: duration of the run, from which the number of epochs is determined by timing the first steps; at most
            ten times the epochs of the recipe. Not supported for a resumed run.

    Returns:
        The content of summary.json.

    Raises:
        FileExistsError: out contains a run, and resume is false.
        FloatingPointError: a loss was not finite. Files saved before are intact.
        KeyboardInterrupt: Ctrl-C or SIGTERM, after saving the run.
        OSError: the disk is full, or out cannot be written. Files saved before are intact.
        RuntimeError: another process is training in out, or the device or weights are not available.
        ValueError: the recipe or model_args do not match the model or the data, or out contains a different run.

    Examples:
        >>> from tinynets.engine import get_recipe, load_data, train, with_epochs
        >>> recipe = with_epochs(get_recipe("simplecnn_mnist", "digits"), 2)
        >>> summary = train("simplecnn_mnist", load_data("digits"), recipe, out="runs/digits")
        >>> last = summary["last"]
        >>> last["epoch"], last["test_top1"] > 80
        (2, True)
    """
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        stack.enter_context(plain_defaults())
        distributed = stack.enter_context(distributed_context(device))
        stack.enter_context(preserve_rng_state(distributed.device))
        stack.enter_context(cudnn_benchmark(distributed.device))
        if distributed.device.type == "cpu":
            stack.enter_context(freed_memory_kept())
        directory = RunDir(out)
        previous = distributed.broadcast(_metadata_in(directory) if resume and distributed.is_main else None)
        digest = data.digest()
        _check_weights(model, pretrained, init)
        if previous is None:
            start = find_start(str(model) if init is None else init) if pretrained or init is not None else None
            data = start.adapt_data(data) if start else data
            started_from = start.name if start else None
        else:
            _check_same_start(previous, model, pretrained, init)
            start, started_from = None, previous.get("started_from")
            data = adapt_to_checkpoint(data, Checkpoint.from_dict(previous, "the run"), resize=True)
            model = previous["model"] if isinstance(model, str) else model
        net, name, args = _model(model, data, recipe, model_args, start)
        message = start.load(net, data) if start else None
        metadata = Checkpoint(
            name,
            args,
            data.name,
            data.mean,
            data.std,
            data.class_names,
            data.img_size,
            data_source=data.source,
            data_sha256=digest,
            started_from=started_from,
            own_module=not isinstance(model, str),
        )
        configure(net, metadata)
        recipe = with_absolute_teacher(recipe)
        if minutes is not None:
            if previous:
                raise ValueError(f"minutes (--minutes) have no effect on the resumed run in {out}: set epochs")
            recipe = fit_epochs(net, data, recipe, distributed, minutes, started)
        run = Run(net, data, recipe, distributed)
        if run.recipe.batch_size < recipe.batch_size and distributed.is_main:
            _logger.info(
                f"batch size {run.recipe.batch_size} instead of {recipe.batch_size}, which is larger than the training "
                "set"
            )
        if run.recipe.schedule.epochs > recipe.schedule.epochs and distributed.is_main:
            _logger.info(
                f"{run.recipe.schedule.epochs} epochs instead of {recipe.schedule.epochs}, which would be "
                f"{recipe.schedule.epochs * run.steps} steps (schedule.min_steps: {recipe.schedule.min_steps})"
            )
        try:
            with (
                directory.claim(resume) if distributed.is_main else contextlib.nullcontext(),
                interruptible() as interrupt,
            ):
                training = Trainer(run, data, metadata, directory, message, save_seconds, tensorboard)
                try:
                    return training.fit(interrupt)
                except RuntimeError as error:
                    if interrupt.requested and not distributed.is_main:  # the main process has saved the run and ended
                        raise KeyboardInterrupt from error
                    raise
        finally:
            run.release()


def _metadata_in(directory: RunDir) -> dict[str, Any] | None:
    """Read the metadata of the run in a directory; None without a run."""
    state = directory.state()
    return None if state is None else state["metadata"]


def _check_same_start(
    previous: dict[str, Any], model: str | nn.Module, pretrained: bool, init: str | Path | None
) -> None:
    """Raise ValueError if the run to resume trains another model, or started from other weights."""
    if isinstance(model, str) and full_name(previous["model"]) != full_name(model):
        raise ValueError(f"the run trains {previous['model']}, not {model}: omit {model}, or choose another directory")
    if pretrained or init is not None:
        name, original = find_start(str(model) if init is None else init).name, previous.get("started_from")
        if name != original:
            raise ValueError(
                f"the run started from {original or 'random weights'}, not from {name}, and resumes with its own "
                "weights: omit pretrained and init, or choose another directory"
            )


def _check_weights(model: str | nn.Module, pretrained: bool, init: str | Path | None) -> None:
    """Raise ValueError if pretrained and init contradict each other or the model."""
    if pretrained and init is not None:
        raise ValueError("pretrained and init both set the initial weights: use one of them")
    if pretrained and not isinstance(model, str):
        raise ValueError(
            "pretrained needs the name of a model: load the weights into your own module before training, or use init"
        )


def _model(
    model: str | nn.Module, data: ImageData, recipe: Recipe, model_args: dict[str, Any] | None, start: Start | None
) -> tuple[Any, str, dict[str, Any]]:
    """Return the module to train, its name, and the arguments that create it again."""
    if isinstance(model, str):
        same = start is not None and start.metadata.model == model
        args = (start.model_args if start and same else {}) | (model_args or {})
        net, args = model_for_data(model, data, recipe, args)
        name = model
    elif model_args:
        raise ValueError("model_args need the name of a model: pass them to your module when you create it")
    else:
        net, args = unwrapped(model), {}
        name = f"{type(net).__module__}.{type(net).__qualname__}"
    check_fit(net, name, data)
    return net, name, args
