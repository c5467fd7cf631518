"""`tinynets export MODEL_OR_CHECKPOINT --to FORMAT`: a file for another runtime, run and compared with the model."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import load_data_of
from .options import common_options, data_options, logger, report

if TYPE_CHECKING:
    from tinynets.deploy import Exported

FORMATS = "onnx, onnx-int8, tflite, tflite-int8, c, c-fp32, pt2, executorch"
PROJECTS = "arduino, esp-idf, zephyr"
_CALIBRATION = 256  # images
_TRIED = 1000  # images for C, which is slow on a PC


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "export",
        parents=[common_options(), data_options()],
        help="export a model to ONNX Runtime, phones, browsers or microcontrollers",
    )
    command.add_argument(
        "model", metavar="MODEL_OR_CHECKPOINT", help="a model with pretrained weights, or a run or its .safetensors"
    )
    command.add_argument("--to", required=True, metavar="FORMAT", help=FORMATS)
    command.add_argument(
        "--out",
        metavar="FILE",
        help="the file to write, for C the folder, new or empty (default: MODEL-FORMAT with the format's suffix)",
    )
    command.add_argument(
        "--pixels", action="store_true", help="the file takes pixels (N, H, W, C) in 0..255 and normalizes them itself"
    )
    command.add_argument(
        "--calibration", type=int, help=f"training images for int8 calibration (default: {_CALIBRATION})"
    )
    command.add_argument("--images", type=int, help=f"test images to compare on (default: all; C: {_TRIED:,})")
    command.add_argument(
        "--tolerance",
        type=float,
        help="fp32: logit difference relative to the largest logit (default: 0.001); "
        "int8: percentage points of accuracy (default: 1)",
    )
    command.add_argument("--c-array", action="store_true", help="tflite: also write .h and .cc for microcontrollers")
    command.add_argument("--project", metavar="NAME", help=f"C: write a project: {PROJECTS}")
    command.add_argument(
        "--flash", type=float, metavar="KB", help="C: flash of the board, an error if the net is larger"
    )
    command.add_argument("--ram", type=float, metavar="KB", help="C: RAM of the board, an error if the net needs more")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from dataclasses import asdict

    from tinynets._checks import check_positive
    from tinynets.deploy import export, find_format
    from tinynets.deploy.firmware.folder import read_metadata
    from tinynets.deploy.microcontroller import arena_bytes, has_micro, write_c_array
    from tinynets.engine import load_trained

    kind = find_format(args.to)
    kind.require()
    if args.c_array and kind.suffix != ".tflite":
        raise ValueError("--c-array applies only to tflite and tflite-int8")
    if args.calibration is not None and not kind.integer:
        raise ValueError(f"--calibration has no effect on {args.to}: it applies to the integer formats")
    if not kind.c_source and any((args.project, args.flash, args.ram)):
        raise ValueError(f"--project, --flash and --ram have no effect on {args.to}: they apply to c and c-fp32")
    count = _CALIBRATION if args.calibration is None else args.calibration
    check_positive(calibration=count, images=1 if args.images is None else args.images)
    trained = load_trained(args.model)
    metadata = trained.metadata
    out = Path(args.out or f"{_stem(args.model)}-{args.to}{kind.suffix}")
    tensors: dict[str, Any] = {}
    if kind.integer or args.data or args.data_dir or _is_available(metadata):
        tensors = _images(args, trained, count if kind.integer else 0, _TRIED if kind.c_source else None)
    elif args.images or args.background or args.skip_bad:
        raise ValueError("--images, --background and --skip-bad have no effect without data: choose data with --data")
    result = export(
        trained.model,
        args.to,
        out,
        **tensors,
        pixels=args.pixels,
        mean=metadata.mean,
        std=metadata.std,
        class_names=metadata.class_names,
        img_size=tensors["images"].shape[2:] if tensors else args.img_size,
        tolerance=args.tolerance,
        project=args.project,
        flash=_bytes(args.flash),
        ram=_bytes(args.ram),
    )
    if not result.real:
        logger.warning(f"compared on {result.images} synthetic images: choose real images with --data")
    values = {**asdict(result), "path": str(result.path), "model": args.model}
    if kind.suffix == ".tflite":
        content = out.read_bytes()
        values["arena_bytes"] = arena_bytes(content) if has_micro() else None
        if args.c_array:
            values["c_array"] = [str(path) for path in write_c_array(content, out)]
    if kind.c_source:
        values |= {
            key: value for key, value in asdict(read_metadata(out)).items() if key in ("flash", "ram", "generator")
        }
    report(args, values, lambda: _text(result, values))


def _bytes(kilobytes: float | None) -> int | None:
    return None if kilobytes is None else int(1000 * kilobytes)


def _stem(model: str) -> str:
    """Name of the file for a model, a checkpoint or a run."""
    path = Path(model)
    return (path.parent.name or path.stem) if path.stem == "last" else path.name.removesuffix(".safetensors")


def _is_available(metadata: Any) -> bool:
    """Whether the data of a run are still where they were, so that nothing has to be named or downloaded."""
    from tinynets.engine import list_data
    from tinynets.engine.data.builtin import has_files

    source = metadata.data_source or {}
    name = source.get("name")
    if name in list_data():
        return has_files(name, source.get("data_dir"))
    return bool(name) and Path(name).exists()


def _images(args: argparse.Namespace, trained: Any, calibration: int, count: int | None) -> dict[str, Any]:
    """Test images with their labels, by default `tried`, and that many training images for calibration."""
    from tinynets.deploy.images import calibration_images
    from tinynets.engine import match_data

    metadata = trained.metadata
    data = load_data_of(args, None, metadata, metadata.model, trained.in_chans, trained.config, run=args.model)
    data = match_data(data, trained, resize=args.img_size is None)
    images, labels = data.split("test")
    subset = slice(count if args.images is None else args.images)
    tensors: dict[str, Any] = {"images": images[subset], "labels": labels[subset]}
    if calibration:
        train, _ = data.split("train")
        if len(train) == 0:
            raise ValueError(
                f"{data.name} has no training images, which {args.to} needs to calibrate its quantization ranges"
            )
        tensors["calibration"] = calibration_images(train, calibration)
    return tensors


def _text(result: "Exported", values: dict[str, Any]) -> str:
    lines = [
        f"{result.path}  {result.bytes / 1000:,.1f} kB, converted in {result.seconds:.1f} s",
        f"same class as PyTorch for {result.agreement:.2f} % of {result.images:,} images; "
        f"largest logit difference {result.largest_difference:.2g} (largest logit {result.largest_logit:.3g})",
    ]
    if result.model_top1 is not None:
        lines.append(f"test top-1: PyTorch {result.model_top1:.2f} %, this file {result.file_top1:.2f} %")
    if result.proved is not None:
        lines.append(f"every output byte equals LiteRT's reference kernels on {result.proved:,} images")
    if "flash" in values:
        flash, ram = values["flash"] / 1000, values["ram"] / 1000
        lines.append(f"on a microcontroller: about {flash:,.1f} kB of flash, {ram:,.1f} kB of RAM")
    if "arena_bytes" in values:
        arena = values["arena_bytes"]
        ram = f"{arena / 1000:,.1f} kB of RAM (arena)" if arena else "RAM unknown (pip install tflite-micro)"
        lines.append(f"on a microcontroller: {result.bytes / 1000:,.1f} kB of flash, {ram}")
    if "c_array" in values:
        lines.append(f"C source: {' and '.join(values['c_array'])}")
    return "\n".join(lines)
