"""Our models and nets of other people in every runtime that is installed: what `tinynets bench` prints.

    python benchmarks/bench_runtimes.py --csv benchmarks/results/bench_runtimes.csv

Ours have their trained weights, since the size of a file depends on them. The others have random ones. Images have
32x32 pixels (SimpleCNN 28x28). Nothing else should be running.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import timm
from _measure import write_csv
from _resnet8 import resnet8
from _resnet20 import resnet20
from _tiniest import tiniest
from torch import nn

import tinynets
from tinynets.deploy import Timing, bench
from tinynets.models import full_name
from tinynets.weights import find_weights
from tinynets_cli.bench import table

CIFAR = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "input_size": (3, 32, 32)}


def peer(build: Callable[[], nn.Module]) -> Callable[[], Any]:
    def made() -> Any:
        model: Any = build()
        model.pretrained_cfg = CIFAR
        return model

    return made


def trained(name: str) -> bool:
    """Whether the package holds weights. Speed does not depend on them."""
    return find_weights(full_name(name)) is not None


MODELS: dict[str, Callable[[], Any]] = {
    **{
        name: lambda name=name: tinynets.create_model(name, pretrained=trained(name)) for name in tinynets.list_models()
    },
    **{
        name: peer(lambda name=name: timm.create_model(name, num_classes=10))
        for name in ("mobilenetv3_small_050", "test_efficientnet", "tinynet_e")
    },
    "resnet20": peer(resnet20),
    "resnet8": peer(resnet8),
    "tiniest": peer(tiniest),
}


def rounded(row: Timing) -> dict[str, Any]:
    return {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in asdict(row).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--runtimes", help="separated by commas (default: all that are installed)")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--csv")
    args = parser.parse_args()
    rows = []
    for name in args.models:
        runtimes = args.runtimes.split(",") if args.runtimes else None
        rows += bench(MODELS[name](), name, runtimes=runtimes, seconds=args.seconds)
        if args.csv:
            write_csv(Path(args.csv), [rounded(row) for row in rows])
        print(f"{name} is done", file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
