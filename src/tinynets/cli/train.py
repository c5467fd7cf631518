"""`tinynets train MODEL`: train a model from scratch into a run directory."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from .options import common_options, data_of, data_options, model_args, model_options, report

if TYPE_CHECKING:
    from tinynets.engine import Recipe


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "train", parents=[common_options(), model_options(), data_options()], help="train a model from scratch"
    )
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--recipe", help="default, digits, or seed for the founding document's (default: by the data)")
    command.add_argument("--epochs", type=int, help="the warm-up takes at most a tenth of them")
    command.add_argument("--batch-size", type=int)
    command.add_argument("--lr", type=float)
    command.add_argument("--val-size", type=float, help="fraction of the training set held out, 0 for none")
    command.add_argument("--seed", type=int)
    command.add_argument("--out", metavar="DIR", help="run directory (default: runs/MODEL)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import get_recipe, load_data, train

    data_name = args.data or data_of(args.model)
    recipe = get_recipe(args.model, args.recipe or ("digits" if data_name == "digits" else "default"))
    out = args.out or f"runs/{args.model}"
    summary = train(
        args.model,
        load_data(data_name, args.data_dir),
        _override(recipe, args),
        out,
        device=args.device,
        model_args=model_args(args),
    )
    report(args, summary, lambda: f"{_outcome(summary)}\n{summary['train_seconds']:.0f} s; the run is in {out}")


def _override(recipe: "Recipe", args: argparse.Namespace) -> "Recipe":
    """The recipe with what the command line says put in its place."""
    if args.epochs is not None:
        warmup_epochs = min(recipe.schedule.warmup_epochs, args.epochs / 10)
        schedule = dataclasses.replace(recipe.schedule, epochs=args.epochs, warmup_epochs=warmup_epochs)
        recipe = dataclasses.replace(recipe, schedule=schedule)
    if args.lr is not None:
        recipe = dataclasses.replace(recipe, optimizer=dataclasses.replace(recipe.optimizer, lr=args.lr))
    given = {name: getattr(args, name) for name in ("batch_size", "seed", "val_size")}
    return dataclasses.replace(recipe, **{name: value for name, value in given.items() if value is not None})


def _outcome(summary: dict[str, Any]) -> str:
    lines = ["weights  epoch  validation      test"]
    for which in ("last", "best"):
        row = summary[which]
        validation = f"{row['val_top1']:8.2f} %" if "val_top1" in row else f"{'-':>10}"
        lines.append(f"{which:7}  {row['epoch']:5}  {validation}  {row['test_top1']:6.2f} %")
    return "\n".join(lines)
