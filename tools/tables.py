"""Write the tables of README.md and docs that come from benchmarks/results and the manifest.

    python tools/tables.py

To be run after bench_runtimes.py, bench_exports.py, bench_steps.py or tools/ship_int8.py have new figures.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from pages import markdown_table, replace_block

from tinynets.deploy import FORMATS
from tinynets.weights import read_manifest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
OURS = sorted(read_manifest(), key=lambda name: read_manifest()[name].metadata["params"])
RUNTIMES = {
    "eager": "PyTorch",
    "fused": "fused",
    "compiled": "compiled",
    "onnxruntime": "ONNX Runtime",
    "onnxruntime-int8": "ONNX Runtime int8",
    "litert": "LiteRT",
    "litert-int8": "LiteRT int8",
}
FILES = [to for to, kind in FORMATS.items() if not kind.c_source]
Row = dict[str, str]
Exports = dict[tuple[str, str], Row]  # by model and format


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    timings, exports, steps = (
        read_csv(RESULTS / f"{name}.csv") for name in ("bench_runtimes", "bench_exports", "bench_steps")
    )
    everybody = list(dict.fromkeys([*OURS, *(row["model"] for row in timings)]))
    by_format = {(row["model"], row["format"]): row for row in exports}
    deploy = ROOT / "docs/deploy.md"
    replace_block(ROOT / "README.md", "speed", latency(timings, OURS))
    replace_block(deploy, "latency", latency(timings, everybody))
    replace_block(deploy, "throughput", throughput(timings, everybody))
    replace_block(deploy, "exports", accuracies(by_format))
    replace_block(deploy, "int8", integers(by_format))
    replace_block(ROOT / "docs/recipes.md", "steps", of_steps(steps))
    for page in ("README.md", "docs/finetune.md"):
        replace_block(ROOT / page, "transfer", of_transfer(read_csv(RESULTS / "bench_transfer.csv")))


def latency(timings: list[Row], models: Iterable[str]) -> str:
    return by_runtime(timings, models, "1", lambda row: f"{float(row['median_ms']):.2f}")


def throughput(timings: list[Row], models: Iterable[str]) -> str:
    return by_runtime(timings, models, "128", lambda row: f"{float(row['images_per_second']):,.0f}")


def measured(row: Row | None, cell: Callable[[Row], str]) -> str:
    """The cell of a row; a dash for what was not measured."""
    return cell(row) if row else "-"


def by_runtime(timings: list[Row], models: Iterable[str], batch_size: str, cell: Callable[[Row], str]) -> str:
    """A row for each model, measured on one thread."""
    one = {
        (row["model"], row["runtime"]): row
        for row in timings
        if (row["batch_size"], row["threads"]) == (batch_size, "1")
    }
    timed = {model for model, _ in one}
    rows = [
        (model, *(measured(one.get((model, runtime)), cell) for runtime in RUNTIMES))
        for model in models
        if model in timed
    ]
    return markdown_table(("", *RUNTIMES.values()), rows, slice(1, None))


def accuracies(exports: Exports) -> str:
    """Top-1 and size of every file."""

    def cell(row: Row) -> str:
        return f"{row['file_top1']} %, {kilobytes(row['file_bytes'])}"

    rows = [
        (
            model,
            f"{exports[model, 'onnx']['pytorch_top1']} %",
            *(measured(exports.get((model, to)), cell) for to in FILES),
        )
        for model in OURS
    ]
    return markdown_table(("", "PyTorch", *(f"`{to}`" for to in FILES)), rows, slice(1, None))


def integers(exports: Exports) -> str:
    """Accuracy and agreement of the int8 files, and what a microcontroller needs."""
    rows = []
    for model in OURS:
        if (file := read_manifest()[model].metadata.get("files", {}).get("tflite-int8")) is None:
            continue  # none is shipped
        onnx, tflite = exports[model, "onnx-int8"], exports[model, "tflite-int8"]
        tops = (f"{value} %" for row in (onnx, tflite) for value in (row["file_top1"], row["agreement"]))
        micro = f"{file['micro_top1']} %", kilobytes(tflite["file_bytes"]), kilobytes(file["arena_bytes"])
        rows.append((model, f"{onnx['pytorch_top1']} %", *tops, *micro))
    files = "`onnx-int8`", "same class", "`tflite-int8`", "same class"
    header = ("", "fp32", *files, "on a chip", "flash", "RAM (arena)")
    return markdown_table(header, rows, slice(1, None))


def of_steps(steps: list[Row]) -> str:
    rows = [
        (row["model"], row["form"], f"{int(row['step_ms']):,}", row["ours_is_faster"], f"{int(row['peak_mb']):,}")
        for row in steps
    ]
    return markdown_table(("", "step", "ms", "ratio", "peak memory (MB)"), rows, slice(2, None))


def of_transfer(rows: list[Row]) -> str:
    """Accuracy of every start on every set of photos."""
    starts = {
        "photos": "`mote_s2_450k`",
        "small": "`mote_s2_120k`",
        "cifar10": "Optimized200K, CIFAR-10's weights",
        "scratch": "`mote_s2_450k` from scratch",
    }
    found = {(row["set"], row["images"], row["start"]): row for row in rows}
    sets = sorted({key[:2] for key in found}, key=lambda key: (key[0], int(key[1])))
    body = [
        (
            f"{name}, {images} per class",
            *(
                measured(found.get((name, images, start)), lambda row: f"{row['top1']} ± {row['std']}")
                for start in starts
            ),
        )
        for name, images in sets
    ]
    return markdown_table(("", *starts.values()), body, slice(1, None))


def kilobytes(size: str | int) -> str:
    return f"{int(size) / 1e3:,.0f} kB"


if __name__ == "__main__":
    main()
