"""Every model with weights in every format that is one file: size, time of the export, agreement and accuracy on the
whole test set.

    python benchmarks/bench_exports.py --data-dir ~/data
    python benchmarks/bench_exports.py --models egrr_cifar100 --formats onnx-int8 --data-dir ~/data

Adds its rows to benchmarks/results/bench_exports.csv, or replaces them. int8 files take pixels and are calibrated on
256 training images.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from _measure import made_by, put_row

from tinynets.deploy import FORMATS, export
from tinynets.deploy.images import calibration_images
from tinynets.engine import load_data, load_trained, match_data
from tinynets.report import text_table
from tinynets.weights import read_manifest

TABLE = Path(__file__).parent / "results/bench_exports.csv"


def main() -> None:
    names, formats = sorted(read_manifest()), [to for to, kind in FORMATS.items() if not kind.c_source]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--formats", nargs="+", choices=formats, default=formats, metavar="FORMAT")
    parser.add_argument("--data-dir", help="folder that holds the data sets (default: data)")
    args = parser.parse_args()

    for name in args.models:
        for row in measure(name, args.formats, args.data_dir):
            put_row(TABLE, row, "model", "format")
            print(text_table(tuple(row), [tuple(map(str, row.values()))]), flush=True)


def measure(name: str, formats: list[str], data_dir: str | None) -> Iterator[dict[str, Any]]:
    trained = load_trained(name)
    data = match_data(load_data(read_manifest()[name].metadata["data"], data_dir), trained)
    with tempfile.TemporaryDirectory() as folder:
        for to in formats:
            result = export(
                name,
                to,
                Path(folder) / to,
                images=data.test_images,
                labels=data.test_labels,
                calibration=calibration_images(data.train_images),
                pixels=FORMATS[to].integer,
            )
            yield {
                "model": name,
                "format": to,
                "file_bytes": result.bytes,
                "export_seconds": f"{result.seconds:.1f}",
                "images": result.images,
                "agreement": f"{result.agreement:.2f}",
                "largest_difference": f"{result.largest_difference:.2g}",
                "largest_logit": f"{result.largest_logit:.1f}",
                "pytorch_top1": f"{result.model_top1:.2f}",
                "file_top1": f"{result.file_top1:.2f}",
                **made_by(torch.device("cpu")),
            }


if __name__ == "__main__":
    main()
