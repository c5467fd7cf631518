"""Our five models and nets of other people in every runtime that is installed: what `tinynets bench` prints.

    python benchmarks/bench_runtimes.py --csv benchmarks/results/bench_runtimes.csv --plot docs/deploy-latency.png

Ours have their trained weights, since the size of a file depends on them. The others have random ones. Images have
32x32 pixels (SimpleCNN 28x28). Nothing else should be running.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import timm
from _resnet8 import resnet8
from _resnet20 import resnet20
from _tiniest import tiniest
from torch import nn

import tinynets
from tinynets._files import write_file
from tinynets.deploy import bench
from tinynets.models import full_name
from tinynets.report.plots import plot_latency
from tinynets.weights import find_weights
from tinynets_cli.bench import csv_text, table

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--runtimes", help="separated by commas (default: all that are installed)")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--csv")
    parser.add_argument("--plot")
    args = parser.parse_args()
    rows = []
    for name in args.models:
        runtimes = args.runtimes.split(",") if args.runtimes else None
        rows += bench(MODELS[name](), name, runtimes=runtimes, seconds=args.seconds)
        if args.csv:
            write_file(args.csv, csv_text(rows))
        print(f"{name} is done", file=sys.stderr, flush=True)
    print(table(rows))
    if args.plot:
        plot_latency(rows, args.plot)


if __name__ == "__main__":
    main()
