"""`tinynets evaluate MODEL_OR_CHECKPOINT`: accuracy, loss, calibration and speed on a data set."""

import argparse
from contextlib import nullcontext
from typing import Any

from . import options
from .data import load_data_of, warn_of_polarity
from .mistakes import find_mistakes, format_mistakes


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate",
        parents=[options.common_options(), options.data_options(), options.device_options()],
        help="accuracy, loss, calibration and speed",
    )
    command.add_argument(
        "model", metavar="MODEL_OR_CHECKPOINT", help="a model with pretrained weights, or a run or its .safetensors"
    )
    command.add_argument("--split", default="test", help="test, train, or val if there is one (default: test)")
    command.add_argument("--batch-size", type=int, default=500)
    command.add_argument("--invert", action="store_true", help="invert the images first (swap light and dark)")
    command.add_argument("--tta", default="none", help="test-time augmentation: none, flip, shift, flip+shift")
    command.add_argument("--fuse", action="store_true", help="evaluate the fused model (tinynets.fuse)")
    command.add_argument("--hard", action="store_true", help="fused, with one-hot gates")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    import tinynets
    from tinynets.engine import Normalize, load_trained, match_data
    from tinynets.engine.data import wrong_polarity
    from tinynets.engine.evaluation import evaluate_with_logits
    from tinynets.engine.loop.malloc import freed_memory_kept

    trained = load_trained(args.model)
    model, metadata = trained.model, trained.metadata
    whole_test = {"test_size": 1.0}  # of class folders other than those of the run
    data = load_data_of(
        args, None, metadata, metadata.model, trained.in_chans, trained.config, run=args.model, split_args=whole_test
    )
    if not args.data and metadata.data_sha256 and not args.img_size and data.digest() != metadata.data_sha256:
        options.logger.warning(f"{data.name} has changed since {args.model} was trained")
    data = match_data(data, trained, resize=args.img_size is None)
    images, labels = data.split(args.split)
    images = 255 - images if args.invert else images
    warn_of_polarity(int(wrong_polarity(images, metadata.mean, metadata.std).sum()), len(images), metadata, args.invert)
    normalize = Normalize(metadata.mean, metadata.std)
    if args.fuse or args.hard:
        model = tinynets.fuse(model, hard=args.hard)
    device = options.device_of(args)
    with freed_memory_kept() if device == "cpu" else nullcontext():
        result, logits = evaluate_with_logits(model.to(device), images, labels, normalize, args.batch_size, args.tta)
    per_class = dict(zip(data.class_names, result.pop("per_class"), strict=True))
    form = "fused, hard gates" if args.hard else "fused" if args.fuse else "as trained"
    result = {"model": args.model, "form": form, "data": data.name, "split": args.split, "tta": args.tta, **result}
    result["per_class"] = per_class
    text = f"{_sentence(result)}\n\n{_table(per_class)}"
    if files := data.files.get(args.split):
        found = find_mistakes(logits, labels, data.class_names, files)
        result |= found
        text += f"\n\n{format_mistakes(found, args.split)}"
    options.report(args, result, lambda: text)


def _sentence(result: dict[str, Any]) -> str:
    from tinynets._text import printable

    return (
        f"{printable(result['model'])} on {printable(result['data'])} {result['split']} ({result['images']:,} images): "
        f"top-1 {result['top1']:.2f} %, top-5 {result['top5']:.2f} %, loss {result['loss']:.4f}, "
        f"calibration error {result['calibration_error']:.2f} %, {result['images_per_second']:,.0f} images/s"
        + (f", test-time augmentation {result['tta']}" if result["tta"] != "none" else "")
        + (f", {result['form']}" if result["form"] != "as trained" else "")
    )


def _table(per_class: dict[str, float | None]) -> str:
    """The accuracy of each class, worst first."""
    from tinynets.report import text_table

    measured = {name: top1 for name, top1 in per_class.items() if top1 is not None}
    rows = [(name, f"{top1:.2f} %") for name, top1 in sorted(measured.items(), key=lambda item: item[1])]
    return text_table(("class", "top-1"), rows)
