"""Latency of one image on one thread in ONNX Runtime and LiteRT, all nets in turn, as ratios to ECNet.

    python benchmarks/bench_latency.py

Nothing else should be running. Every round times each file once; a ratio is the median over the rounds. Weights do not
matter for speed and are random where a net has none. The table goes to benchmarks/results/bench_latency.csv.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from _measure import made_by, paired, ratio, write_csv
from bench_runtimes import MODELS

import tinynets
from tinynets.deploy import FORMATS, export
from tinynets.report import text_table

RESULTS = Path(__file__).parent / "results"
REFERENCE = "ecnet_cifar10"
THREADS = 1
NETS = [REFERENCE, "c1c2c3c4o_cifar10", "tiniest", *(name for name in MODELS if name.startswith("mote_"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=NETS, choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=400)
    args = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for to in ("onnx", "tflite"):
            calls = {}
            for name in args.models:
                model = MODELS[name]().eval()
                size = model.pretrained_cfg["input_size"]
                macs = tinynets.summary(model, size).macs
                rows.setdefault(name, {"model": name, "multiply_adds": macs})
                file = export(model, to, Path(folder) / f"{name}.{to}", tolerance=100).path
                run, image = FORMATS[to].load(file, THREADS), torch.randn(1, *size).numpy()
                calls[name] = lambda run=run, image=image: run(image)
            times = paired(calls, args.rounds, torch.device("cpu"))
            for name, measured in times.items():
                rows[name][f"{to}_ms"] = f"{statistics.median(measured):.3f}"
                rows[name][f"{to}_ratio"] = f"{ratio(measured, times[REFERENCE]):.2f}"
    print(text_table(tuple(rows[REFERENCE]), [tuple(map(str, row.values())) for row in rows.values()]))
    made = made_by(torch.device("cpu"))
    write_csv(RESULTS / "bench_latency.csv", [row | made | {"threads": THREADS} for row in rows.values()])


if __name__ == "__main__":
    main()
