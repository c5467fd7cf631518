"""`tinynets list`: the models and the layers."""

import argparse
from typing import Any

import tinynets
from tinynets.models import full_name
from tinynets.report import text_table
from tinynets.weights import find_weights

from .options import common_options, report


def add_command(commands: Any) -> None:
    command = commands.add_parser("list", parents=[common_options()], help="the models and the layers")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    models = [_describe(name) for name in tinynets.list_models()]
    facts = {"models": models, "layers": tinynets.list_layers()}
    report(args, facts, lambda: f"{_table(models)}\n\nlayers: {', '.join(facts['layers'])}")


def _describe(name: str) -> dict[str, Any]:
    model: Any = tinynets.create_model(name, device="meta")
    name = full_name(name)
    weights = find_weights(name)
    return {
        "model": name,
        "params": tinynets.count_parameters(model),
        "input_size": list(model.pretrained_cfg["input_size"]),
        "num_classes": model.num_classes,
        "weights": weights.tag if weights else None,
        "top1": weights.facts["top1"] if weights else None,
    }


def _table(models: list[dict[str, Any]]) -> str:
    rows = [
        (
            model["model"],
            model["params"],
            "x".join(map(str, model["input_size"])),
            model["num_classes"],
            model["weights"] or "-",
            f"{model['top1']:.2f} %" if model["weights"] else "-",
        )
        for model in models
    ]
    return text_table(("model", "params", "input", "classes", "weights", "test top-1"), rows)
