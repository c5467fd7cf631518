"""`tinynets bench MODEL...`: latency and throughput in every runtime that is installed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import common_options, image_size, report

if TYPE_CHECKING:
    from tinynets.deploy import Timing

RUNTIMES = "eager, fused, compiled, onnxruntime, onnxruntime-int8, litert, litert-int8"


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "bench", parents=[common_options()], help="latency and throughput in every installed runtime"
    )
    command.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="a model of tinynets or timm, trained or not, or a checkpoint",
    )
    command.add_argument("--runtimes", metavar="NAMES", help=f"comma-separated: {RUNTIMES}")
    command.add_argument("--batch-sizes", default="1,128", help="comma-separated (default: 1,128)")
    command.add_argument("--threads", help="comma-separated (default: one and all)")
    command.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement (default: 2)")
    command.add_argument("--img-size", type=image_size, help="side of the images in pixels (default: the model's)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from tinynets.deploy import bench

    rows: list[Timing] = []
    for name in args.models:
        rows += bench(
            _model(name),
            Path(name).name,
            runtimes=args.runtimes.split(",") if args.runtimes else None,
            batch_sizes=_numbers("--batch-sizes", args.batch_sizes),
            threads=_numbers("--threads", args.threads) if args.threads else None,
            seconds=args.seconds,
            img_size=args.img_size,
        )
    report(args, {"timings": [asdict(row) for row in rows]}, lambda: table(rows))


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} expects integers separated by commas, such as 1,128, got {text!r}") from None


def _model(name: str) -> Any:
    """A checkpoint with its weights, or a new model by name: weights do not change the time."""
    from tinynets.engine.any_model import create_any_model
    from tinynets.engine.trained import checkpoint_path, load_trained

    return create_any_model(name) if checkpoint_path(name) is None else load_trained(name).model


def table(rows: "list[Timing]") -> str:
    """One line per figure. `speed` is relative to fused PyTorch with the same batch and threads."""
    from tinynets.report import text_table

    fused = {(r.model, r.batch_size, r.threads): r.median_ms for r in rows if r.runtime == "fused"}
    lines = []
    for r in rows:
        base = fused.get((r.model, r.batch_size, r.threads))
        lines.append(
            (
                r.model,
                r.runtime,
                r.batch_size,
                r.threads,
                f"{r.median_ms:.3g}",
                f"{r.p90_ms:.3g}",
                f"{r.images_per_second:,.0f}",
                f"{base / r.median_ms:.2f}" if base else "",
                f"{r.file_bytes / 1000:,.0f}" if r.file_bytes else "",
            )
        )
    header = ("model", "runtime", "batch", "threads", "ms", "p90 ms", "images/s", "speed", "file kB")
    return text_table(header, lines, left=2)
