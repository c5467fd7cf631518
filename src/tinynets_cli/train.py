"""`tinynets train MODEL`: train a model, from scratch or from weights, into a run directory."""

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import data_of, load_data_of
from .mistakes import find_mistakes, format_mistakes
from .options import (
    common_options,
    data_options,
    device_of,
    device_options,
    logger,
    model_args,
    model_options,
    recipe_of,
    recipe_options,
    report,
)

if TYPE_CHECKING:
    from tinynets.engine import ImageData
    from tinynets.engine.loop.build import Start


# the default MODEL for photos, and the (H, W) of its images
PHOTO_BACKBONE, PHOTO_SIZE = "mote_s2_450k.tiny_imagenet", (128, 128)


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        parents=[common_options(), recipe_options(), model_options(), data_options(), device_options()],
        help="train a model, in one process or several (torchrun)",
    )
    command.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="any timm model (default: that of --resume or --init; for a folder of photos the pretrained photo "
        "backbone)",
    )
    command.add_argument(
        "--out", metavar="DIR", help="run directory (default: runs/MODEL, or runs/ and the name of the folder)"
    )
    command.add_argument(
        "--minutes", type=float, help="train as many epochs as fit into this time, instead of --epochs"
    )
    command.add_argument(
        "--resume", action="store_true", help="continue the run in DIR (with --epochs for longer), or start it"
    )
    weights = command.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="fine-tune the model's pretrained weights")
    weights.add_argument("--init", metavar="FILE", help="fine-tune the weights of a checkpoint or a run")
    command.add_argument(
        "--test-size",
        type=float,
        help="fraction of every class held out for testing, if there is no train/ folder (default: 0.1)",
    )
    command.add_argument("--tensorboard", action="store_true", help="also log to DIR/tensorboard")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import Checkpoint, list_data, train
    from tinynets.engine.recipes import recipe_from_dict
    from tinynets.engine.record import RunDir

    if args.minutes is not None and args.epochs is not None:
        raise ValueError("--epochs and --minutes both set the length of the run: use one of them")
    photos = not (args.model or args.init) and _is_folder(args.data)
    start = _start_of(args)
    model = args.model or (start.metadata.model if start else None)
    if model is None and not photos and not (args.resume and args.out):
        if args.data and args.data not in list_data() and not Path(args.data).exists():
            raise ValueError(f"there is no folder {args.data} (--data)")
        raise ValueError(
            "specify the MODEL to train, a folder of photos (--data), or the run to resume: --resume --out DIR"
        )
    out = args.out or "runs/" + re.sub(r"[^\w.-]+", "_", model or Path(args.data).resolve().name)
    directory = RunDir(out)
    if not args.resume:
        directory.check_new()  # before the data are loaded
    state = directory.state() if args.resume else None
    if photos and not state:
        _use_backbone(args)
        start, model = _start_of(args), args.model
    previous: dict[str, Any] = state["identity"] if state else {}
    model = model or previous.get("model")
    if model is None:
        raise ValueError(f"there is no run in {out} to resume: specify the MODEL to train")
    metadata = Checkpoint.from_dict(state["metadata"], out) if state else start.metadata if start else None
    if state and metadata and metadata.own_module:
        raise ValueError(
            f"the run in {out} trains a custom module, {metadata.model}: resume it in Python, "
            "train(module, ..., resume=True)"
        )
    base = recipe_from_dict(previous["recipe"]) if previous else None
    kind = "finetune" if args.pretrained or args.init else "default"
    recipe = recipe_of(args, model, args.data or previous.get("data") or data_of(model), base, kind)
    split_args = {"test_size": args.test_size, "val_size": recipe.val_size, "seed": recipe.seed}
    data = load_data_of(
        args, previous.get("data") or data_of(model), metadata, model, run=out if state else None, split_args=split_args
    )
    if args.test_size not in (None, (data.made_split or {}).get("test_size")):
        raise ValueError(f"--test-size has no effect: {data.name} already has test images")
    if args.val_size is not None and data.val_images is not None and data.made_split is None:
        raise ValueError(f"--val-size has no effect: {data.name} has validation images of its own")
    if start and args.img_size and start.fixed_size not in (None, args.img_size):
        raise ValueError(
            f"--img-size has no effect: {start.name} supports only images of {start.metadata.img_size} pixels"
        )
    summary = train(
        model,
        data,
        recipe,
        out,
        device=device_of(args),
        model_args=previous.get("model_args", {}) | model_args(args),
        resume=args.resume,
        tensorboard=args.tensorboard,
        pretrained=args.pretrained,
        init=args.init,
        minutes=args.minutes,
    )
    # torchrun sets both RANK and WORLD_SIZE; a cluster may set only one of them
    if os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0":
        found = _mistakes(out, data, device_of(args)) if data.files else {}
        report(args, summary | found, lambda: _summary_text(summary, found, out))


def _is_folder(name: str | None) -> bool:
    from tinynets.engine import list_data

    return name is not None and name not in list_data() and Path(name).is_dir()


def _use_backbone(args: argparse.Namespace) -> None:
    """Fine-tune the backbone for photos, because the command line names no model."""
    args.model, args.pretrained, args.img_size = PHOTO_BACKBONE, True, args.img_size or PHOTO_SIZE
    size, recipe = "x".join(map(str, args.img_size)), args.recipe or "finetune"
    logger.info(f"no MODEL given: fine-tuning {PHOTO_BACKBONE} on images of {size} with the recipe {recipe}")


def _start_of(args: argparse.Namespace) -> "Start | None":
    """The weights to start from."""
    from tinynets.engine.loop.build import find_start

    name = args.init or (args.model if args.pretrained else None)
    if args.pretrained and args.model is None:
        raise ValueError("--pretrained needs the name of a MODEL")
    return find_start(name) if name else None


def _mistakes(out: str, data: "ImageData", device: str) -> dict[str, Any]:
    """The mistakes of the last weights on the test photos."""
    from tinynets.engine import Normalize, load_trained, match_data, predict

    trained = load_trained(out)
    data = match_data(data, trained)
    normalize = Normalize(trained.metadata.mean, trained.metadata.std)
    logits = predict(trained.model.to(device), data.test_images, normalize)
    return find_mistakes(logits, data.test_labels, data.class_names, data.files["test"])


def _summary_text(summary: dict[str, Any], found: dict[str, Any], out: str) -> str:
    """What came out, what the net mistakes, and what to type next."""
    parts = [f"{_outcome(summary)}\n{summary['train_seconds']:.0f} s; run directory: {out}"]
    if found:
        parts.append(format_mistakes(found))
        name = shlex.quote(str(out))
        parts.append(
            f"next:\n  tinynets predict {name} PHOTO...\n  tinynets plot {name}\n"
            f"  tinynets export {name} --to tflite-int8 --pixels"
        )
    return "\n\n".join(parts)


def _outcome(summary: dict[str, Any]) -> str:
    lines = ["weights  epoch  validation      test"]
    for which in ("last", "best"):
        row = summary[which]
        validation = f"{row['val_top1']:8.2f} %" if "val_top1" in row else f"{'-':>10}"
        lines.append(f"{which:7}  {row['epoch']:5}  {validation}  {row['test_top1']:6.2f} %")
    return "\n".join(lines)
