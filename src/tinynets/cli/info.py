"""`tinynets info MODEL`: layers, parameters, multiply-adds, receptive field."""

import argparse
from typing import Any

import tinynets
from tinynets.weights import Weights, find_weights

from .options import common_options, model_args, model_options, report


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "info",
        parents=[common_options(), model_options()],
        help="a model's layers, parameters, multiply-adds and receptive field",
    )
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--input-size", type=_input_size, metavar="CxHxW", help="default: the model's own")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    model: Any = tinynets.create_model(args.model, **model_args(args))
    table = tinynets.summary(model, args.input_size)
    field = tinynets.receptive_field(model)
    weights = find_weights(args.model.split(".")[0])
    facts = {
        "model": args.model,
        **table.to_dict(),
        "receptive_field": field.to_dict(),
        "weights": weights.facts if weights else None,
    }
    report(args, facts, lambda: f"{table}\n\n{field}\n\nreceptive field: {field.size:g} pixels\n{_shipped(weights)}")


def _shipped(weights: Weights | None) -> str:
    if weights is None:
        return "weights: none yet"
    return f"weights: {weights.tag}, {weights.facts['top1']:.2f} % top-1 on the test set of {weights.facts['data']}"


def _input_size(text: str) -> tuple[int, ...]:
    try:
        channels, height, width = map(int, text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be CxHxW, such as 3x32x32, got {text!r}") from None
    return channels, height, width
