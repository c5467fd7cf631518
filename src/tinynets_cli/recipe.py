"""`tinynets recipe MODEL`: print every field of a recipe."""

import argparse
from typing import Any

from .data import data_of
from .options import common_options, recipe_of, recipe_options, report


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "recipe", parents=[common_options(), recipe_options()], help="print a model's recipe with the given changes"
    )
    command.add_argument("model", metavar="MODEL")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import list_recipes

    values = recipe_of(args, args.model, data_of(args.model)).to_dict()
    report(args, values, lambda: f"{_lines(values)}\n\nrecipes: {', '.join(list_recipes(args.model))}")


def _lines(values: dict[str, Any]) -> str:
    flat = {}
    for name, value in values.items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
    width = max(map(len, flat))
    return "\n".join(f"{name:{width}}  {_text(value)}" for name, value in flat.items())


def _text(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
