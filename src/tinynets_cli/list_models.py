"""`tinynets list`: the models and the layers, from a file that tools/list_models.py writes."""

import argparse
import json
from pathlib import Path
from typing import Any

from .options import common_options


def add_command(commands: Any) -> None:
    command = commands.add_parser("list", parents=[common_options()], help="list the models and layers")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    text = Path(__file__).with_name("models.json").read_text(encoding="utf-8")
    print(json.dumps(json.loads(text)) if args.json else _table(**json.loads(text)))


def _table(models: list[dict[str, Any]], layers: list[str]) -> str:
    rows = [("model", "params", "input", "classes", "weights", "test top-1"), *map(_row, models)]
    widest = max(len(row[0]) for row in rows)
    lines = ["{:{}}  {:>7}  {:>7}  {:>7}  {:>7}  {:>10}".format(row[0], widest, *row[1:]) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], "", f"layers: {', '.join(layers)}"])


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    size = "x".join(map(str, model["input_size"]))
    top1 = f"{model['top1']:.2f} %" if model["weights"] else "-"
    return model["model"], f"{model['params']:,}", size, str(model["num_classes"]), model["weights"] or "-", top1
