"""`tinynets train MODEL`: train a model from scratch into a run directory."""

import argparse
import os
from typing import Any

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
    size_of,
)


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        parents=[common_options(), recipe_options(), model_options(), data_options(), device_options()],
        help="train a model from scratch, on one or (by torchrun) many processes",
    )
    command.add_argument("model", metavar="MODEL", nargs="?", help="may be left out with --resume")
    command.add_argument("--out", metavar="DIR", help="run directory (default: runs/MODEL)")
    command.add_argument("--resume", action="store_true", help="go on with the run in DIR, or start it")
    command.add_argument("--save-seconds", type=float, default=60.0, help="how often the state is saved (default: 60)")
    command.add_argument("--tensorboard", action="store_true", help="log to DIR/tensorboard too")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import RunDir, recipe_from_dict, train

    if args.model is None and not (args.resume and args.out):
        raise ValueError("name the MODEL to train, or the run to go on with: --resume --out DIR")
    out = args.out or f"runs/{args.model}"
    state = RunDir(out).state() if args.resume else None
    if args.model is None and state is None:
        raise ValueError(f"there is no run in {out} to go on with: name the MODEL to train")
    before: dict[str, Any] = state["identity"] if state else {}
    model = args.model or before["model"]
    default_data = before.get("data", data_of(model))
    summary = train(
        model,
        load_data_of(args, default_data, size_of(model)),
        recipe_of(
            args, model, args.data or default_data, recipe_from_dict(before["recipe"]) if "recipe" in before else None
        ),
        out,
        device=device_of(args),
        model_args=before.get("model_args", {}) | model_args(args),
        resume=args.resume,
        save_seconds=args.save_seconds,
        tensorboard=args.tensorboard,
    )
    if os.environ.get("RANK", "0") == "0":  # torchrun's, of this process
        report(args, summary, lambda: f"{_outcome(summary)}\n{summary['train_seconds']:.0f} s; the run is in {out}")


def _outcome(summary: dict[str, Any]) -> str:
    lines = ["weights  epoch  validation      test"]
    for which in ("last", "best"):
        row = summary[which]
        validation = f"{row['val_top1']:8.2f} %" if "val_top1" in row else f"{'-':>10}"
        lines.append(f"{which:7}  {row['epoch']:5}  {validation}  {row['test_top1']:6.2f} %")
    return "\n".join(lines)
