"""`tinynets results`: the accuracy of the shipped weights beside other people's nets of comparable size."""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import tinynets
from tinynets._files import replace_block
from tinynets.report import list_peers, markdown_table, text_table
from tinynets.weights import Weights, read_manifest

from .options import common_options, report

if TYPE_CHECKING:
    from tinynets.engine import Recipe

_TITLES = {"cifar100": "CIFAR-100", "cifar10": "CIFAR-10", "mnist": "MNIST"}
_OPTIMIZERS = {"sgd": "SGD", "muon": "Muon", "adam": "Adam", "adamw": "AdamW"}
_FIGURES = ("params", "multiply-adds", "test top-1")


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "results", parents=[common_options()], help="the shipped weights' accuracy beside other nets of their size"
    )
    command.add_argument(
        "--write", metavar="FILE", help="put the tables between <!-- results --> and <!-- end of results --> in FILE"
    )
    command.add_argument("--plot", metavar="FILE", help="draw accuracy against parameters into FILE (.png, .svg)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    rows = [_ours(name, weights) for name, weights in read_manifest().items()]
    rows += [{**asdict(peer), "ours": False} for peer in list_peers()]
    rows.sort(key=lambda row: -row["top1"])
    tables = {title: [row for row in rows if row["data"] == data] for data, title in _TITLES.items()}
    if args.write:
        parts = [f"**{title}**\n\n{_markdown(table)}" for title, table in tables.items()]
        replace_block(args.write, "results", "\n\n".join(parts))
    if args.plot:
        from tinynets.report.plots import plot_accuracy

        plot_accuracy({title: table for title, table in tables.items() if len(table) > 2}, args.plot)
    report(
        args,
        {"results": rows},
        lambda: "\n\n".join(f"{title}\n\n{_text(table)}" for title, table in tables.items()),
    )


def _ours(name: str, weights: Weights) -> dict[str, Any]:
    from tinynets.engine import recipe_from_dict

    facts = weights.facts
    return {
        "data": facts["data"],
        "model": name,
        "params": facts["params"],
        "macs": tinynets.summary(tinynets.create_model(name)).macs,
        "top1": facts["top1"],
        "training": _training(recipe_from_dict(facts["recipe"]), len(facts["log"]), list(facts["seeds"].values())),
        "best_on_test": False,
        "installable": True,
        "source": "tinynets",
        "ours": True,
    }


def _training(recipe: "Recipe", epochs: int, seeds: list[float]) -> str:
    """A recipe in a few words, with the mean accuracy if there were several seeds."""
    augment, mixing = recipe.augment, recipe.mixing
    used = {
        "crop": augment.pad,
        "flip": augment.flip,
        "affine": augment.rotate or augment.scale or augment.shift or augment.shear,
        "AutoAugment": augment.policy == "autoaugment",
        "TrivialAugment": augment.policy == "trivialaugment",
        "Cutout": augment.cutout,
        "mixup": mixing.mixup,
        "CutMix": mixing.cutmix,
        "RICAP": mixing.ricap,
        "label smoothing": recipe.label_smoothing,
        "distilled": recipe.distill.teacher,
        "EMA": recipe.ema_decay,
    }
    name = recipe.optimizer.name
    words = [f"{epochs} epochs", _OPTIMIZERS.get(name, name)]
    text = ", ".join(words + [word for word, given in used.items() if given])
    return text + (f"; mean of {len(seeds)} seeds {sum(seeds) / len(seeds):.2f}" if len(seeds) > 1 else "")


def _text(table: list[dict[str, Any]]) -> str:
    rows = [(row["model"], _place(row), row["training"] or "-", *_figures(row)) for row in table]
    return text_table(("model", "weights", "training", *_FIGURES), rows, left=3)


def _markdown(table: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"**{row['model']}**" if row["ours"] else row["model"],
            *_figures(row),
            row["training"] or "-",
            _place(row),
            "tinynets" if row["ours"] else f"[{row['source'].partition('/')[2]}](https://{row['source']})",
        )
        for row in table
    ]
    return markdown_table(("model", *_FIGURES, "training", "weights", "from"), rows, slice(1, 4))


def _figures(row: dict[str, Any]) -> tuple[str, str, str]:
    macs = f"{row['macs'] / 1e6:.3g} M" if row["macs"] else "-"
    mark = " (best on test)" if row["best_on_test"] else ""
    return f"{row['params'] / 1e3:.3g} K", macs, f"{row['top1']:.2f}{mark}"


def _place(row: dict[str, Any]) -> str:
    return "in this package" if row["ours"] else "pip" if row["installable"] else "-"
