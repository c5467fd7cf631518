import contextlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinynets._guest import generators_kept, plain_defaults, timed_convolutions
from tinynets.engine.data import ImageData
from tinynets.engine.recipes import Recipe
from tinynets.engine.record import Checkpoint, RunDir

from .build import as_known, build_model, check_fit, find_start
from .cpu import freed_memory_kept
from .epochs import Training
from .interrupt import interruptible
from .objective import with_absolute_teacher
from .processes import workers
from .run import Run


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
) -> dict[str, Any]:
    """Train a model and leave a run directory behind.

    The directory gets recipe.json, metrics.csv (a row an epoch), events.jsonl, best.safetensors (by validation
    accuracy), last.safetensors, state.pt (all that is needed to go on) and summary.json. The test set is read once, at
    the end, for the last and the best weights. Images that were left out are listed in skipped.txt. Under torchrun the
    processes train together.

    What it needs otherwise than the process has it is put back at the end: glibc's malloc settings (see
    `loop/cpu.py`), torch's global generators, default device and dtype, signal handlers.

    Args:
        model: one of `tinynets.list_models()`, or any model timm knows: its classes, channels and image size follow the
            data. Or a module of your own that gives (N, classes) logits: it is trained in place, recipe.seed does not
            touch its initial weights, and its checkpoints state that it must be given again.
        data: what to train on.
        recipe: how.
        out: the run directory; made if need be.
        device: where.
        model_args: further arguments of the model's class, such as {"width": 0.5}.
        resume: go on with the run in out, bit by bit as if it had not stopped; start it if there is none. With more
            epochs in the recipe than the run had, a finished one too: weights, optimizer and random numbers are
            kept, the schedule is that of the longer run.
        save_seconds: the state is saved so often, and after every epoch.
        tensorboard: log to out/tensorboard too; needs the package of that name.
        pretrained: start from the model's pretrained weights.
        init: start from these weights: a checkpoint, a run directory, or a model with weights by name. Either way the
            classifier is new unless the classes are the same, the first layer is adapted to the channels, and images
            are normalised as the weights know them.

    Returns:
        What summary.json holds.

    Raises:
        FileExistsError: out holds a run already, and resume is false.
        FloatingPointError: the loss stopped being a finite number; what was saved before is intact.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run is saved.
        OSError: the disk is full, or out cannot be written; what was saved before is intact.
        RuntimeError: another process trains in out, the device is not to be had, or weights are not.
        ValueError: the recipe or model_args do not fit the model or the data, or the run in out is another one.
    """
    with contextlib.ExitStack() as inside:
        inside.enter_context(plain_defaults())
        team = inside.enter_context(workers(device))
        inside.enter_context(generators_kept(team.device))
        inside.enter_context(timed_convolutions(team.device))
        if team.device.type == "cpu":
            inside.enter_context(freed_memory_kept())
        directory = RunDir(out)
        before = team.share(_facts_in(directory) if resume and team.is_main else None)
        net, data, facts, story = _begin(model, data, recipe, model_args, pretrained, init, before)
        run = Run(net, data, with_absolute_teacher(recipe), team)
        try:
            with directory.claim(resume) if team.is_main else contextlib.nullcontext(), interruptible() as interrupt:
                training = Training(run, data, facts, directory, story, save_seconds, tensorboard)
                try:
                    return training.go(interrupt)
                except RuntimeError as error:
                    if interrupt.requested and not team.is_main:  # the main process has saved the run and gone
                        raise KeyboardInterrupt from error
                    raise
        finally:
            run.release()


def _facts_in(directory: RunDir) -> dict[str, Any]:
    """What the run in the directory knows of its model and data: nothing if it was begun by an older version."""
    state = directory.state()
    return {"held": state is not None, **((state or {}).get("facts") or {})}


def _begin(
    model: str | nn.Module,
    data: ImageData,
    recipe: Recipe,
    model_args: dict[str, Any] | None,
    pretrained: bool,
    init: str | Path | None,
    before: dict[str, Any] | None,
) -> tuple[Any, ImageData, Checkpoint, str | None]:
    """The model a run begins with, the data as it sees them, the facts about both, and what it starts from in words.

    before: of the run that is gone on with, if it is: its weights come from there.
    """
    if pretrained and init is not None:
        raise ValueError("pretrained and init both name weights to start from: give one of them")
    if pretrained and not isinstance(model, str):
        raise ValueError("pretrained needs a model's name; a module of your own brings its weights along, or take init")
    digest = data.digest()
    held = dict(before or {})
    start, started_from = None, held.get("started_from")
    if held.pop("held", False):
        if held:
            data = as_known(data, Checkpoint.from_dict(held, "the run"), resize=True)
    elif pretrained or init is not None:
        start = find_start(str(model) if init is None else init)
        data, started_from = start.adapt_data(data), start.name
    if isinstance(model, str):
        name = model
        args = (start.model_args if start and start.facts.model == name else {}) | (model_args or {})
        net, args = build_model(name, data, recipe, args)
    else:
        if model_args:
            raise ValueError("model_args are for models by name: build your module with them")
        name, net, args = f"{type(model).__module__}.{type(model).__qualname__}", model, {}
    check_fit(net, name, data)
    story = start.load(net, data) if start else None
    facts = Checkpoint(
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
    return net, data, facts, story
