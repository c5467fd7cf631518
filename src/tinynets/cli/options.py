"""What several commands share: options, the arguments they make, and the way results are printed."""

import argparse
import json
from collections.abc import Callable
from typing import Any


def _group() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False)


def common_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return group


def model_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--width", type=float, help="factor on the channels of every layer (all models but ECNet)")
    group.add_argument("--channels", type=int, help="channels of ECNet")
    group.add_argument("--iterations", type=int, help="iterations of ECNet's tied block")
    group.add_argument("--expansion", type=int, help="expansion of ECNet's tied block")
    return group


def data_options() -> argparse.ArgumentParser:
    group = _group()
    group.add_argument("--data", help="cifar10, cifar100, mnist or digits (default: what the model is named after)")
    group.add_argument("--data-dir", help="folder that holds the data set, or gets it by download (default: data)")
    group.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps, ... (default: cpu)")
    return group


def model_args(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments for the model's class that were given on the command line."""
    given = {name: getattr(args, name) for name in ("width", "channels", "iterations", "expansion")}
    return {name: value for name, value in given.items() if value is not None}


def data_of(model: str) -> str:
    """The data set a model is named after."""
    return model.split(".")[0].rpartition("_")[2]


def report(args: argparse.Namespace, facts: dict[str, Any], text: Callable[[], str]) -> None:
    """Print facts as one JSON object, or as text."""
    print(json.dumps(facts) if args.json else text())
