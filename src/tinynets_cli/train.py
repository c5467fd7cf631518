"""`tinynets train MODEL`: train a model, from scratch or from weights, into a run directory."""

import argparse
import os
import re
from typing import TYPE_CHECKING, Any

from .options import (
    common_options,
    data_of,
    data_options,
    device_of,
    device_options,
    load_data_of,
    model_args,
    model_options,
    recipe_of,
    recipe_options,
    report,
)

if TYPE_CHECKING:
    from tinynets.engine.loop.build import Start


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        parents=[common_options(), recipe_options(), model_options(), data_options(), device_options()],
        help="train a model, on one or (by torchrun) many processes",
    )
    command.add_argument(
        "model", metavar="MODEL", nargs="?", help="any model timm knows; may be left out with --resume or --init FILE"
    )
    command.add_argument("--out", metavar="DIR", help="run directory (default: runs/MODEL)")
    command.add_argument(
        "--resume", action="store_true", help="continue the run in DIR (with --epochs for longer), or start it"
    )
    weights = command.add_mutually_exclusive_group()
    weights.add_argument("--pretrained", action="store_true", help="fine-tune the model's pretrained weights")
    weights.add_argument("--init", metavar="FILE", help="fine-tune the weights of a checkpoint or a run")
    command.add_argument("--save-seconds", type=float, default=60.0, help="how often the state is saved (default: 60)")
    command.add_argument("--tensorboard", action="store_true", help="log to DIR/tensorboard too")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import Checkpoint, train
    from tinynets.engine.recipes import recipe_from_dict
    from tinynets.engine.record import RunDir

    start = _start_of(args)
    model = args.model or (start.metadata.model if start else None)
    if model is None and not (args.resume and args.out):
        raise ValueError("name the MODEL to train, or the run to continue: --resume --out DIR")
    out = args.out or "runs/" + re.sub(r"[^\w.-]+", "_", str(model))
    state = RunDir(out).state() if args.resume else None
    before: dict[str, Any] = state["identity"] if state else {}
    model = model or before.get("model")
    if model is None:
        raise ValueError(f"there is no run in {out} to continue: name the MODEL to train")
    metadata = Checkpoint.from_dict(state["metadata"], out) if state else start.metadata if start else None
    if state and metadata and metadata.own_module:
        raise ValueError(
            f"the run in {out} trains a module of your own, {metadata.model}: continue it in Python, "
            "train(module, ..., resume=True)"
        )
    data = load_data_of(args, before.get("data") or data_of(model), metadata, model)
    if args.val_size is not None and data.val_images is not None:
        raise ValueError(f"--val-size has no effect: {data.name} has validation images of its own")
    if start and args.img_size and start.fixed_size not in (None, args.img_size):
        raise ValueError(
            f"--img-size has no effect: {start.name} takes images of {start.metadata.img_size} pixels only"
        )
    base = recipe_from_dict(before["recipe"]) if before else None
    kind = "finetune" if args.pretrained or args.init else "default"
    summary = train(
        model,
        data,
        recipe_of(args, model, data.name, base, kind),
        out,
        device=device_of(args),
        model_args=before.get("model_args", {}) | model_args(args),
        resume=args.resume,
        save_seconds=args.save_seconds,
        tensorboard=args.tensorboard,
        pretrained=args.pretrained,
        init=args.init,
    )
    # torchrun sets both RANK and WORLD_SIZE; a cluster may set only one of them
    if os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0":
        report(args, summary, lambda: f"{_outcome(summary)}\n{summary['train_seconds']:.0f} s; the run is in {out}")


def _start_of(args: argparse.Namespace) -> "Start | None":
    """The weights to start from."""
    from tinynets.engine.loop.build import find_start

    name = args.init or (args.model if args.pretrained else None)
    if args.pretrained and args.model is None:
        raise ValueError("--pretrained needs the name of a MODEL")
    return find_start(name) if name else None


def _outcome(summary: dict[str, Any]) -> str:
    lines = ["weights  epoch  validation      test"]
    for which in ("last", "best"):
        row = summary[which]
        validation = f"{row['val_top1']:8.2f} %" if "val_top1" in row else f"{'-':>10}"
        lines.append(f"{which:7}  {row['epoch']:5}  {validation}  {row['test_top1']:6.2f} %")
    return "\n".join(lines)
