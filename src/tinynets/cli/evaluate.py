"""`tinynets evaluate MODEL_OR_CHECKPOINT`: accuracy, loss and speed on a data set."""

import argparse
from pathlib import Path
from typing import Any

import tinynets
from tinynets._checks import unknown

from .options import common_options, data_of, data_options, model_args, model_options, report


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate", parents=[common_options(), model_options(), data_options()], help="accuracy, loss and speed"
    )
    command.add_argument(
        "model", metavar="MODEL_OR_CHECKPOINT", help="a model that ships weights, or a run's .safetensors"
    )
    command.add_argument("--split", default="test", help="test or train (default: test)")
    command.add_argument("--batch-size", type=int, default=500)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import Augment, Augmenter, evaluate, load_data

    model, mean, std, data_name = _load(args)
    data = load_data(args.data or data_name, args.data_dir)
    if (model.num_classes, model.in_chans) != (data.num_classes, data.in_chans):
        raise ValueError(
            f"{args.model} takes {model.in_chans}-channel images of {model.num_classes} classes, {data.name} has "
            f"{data.in_chans} channels and {data.num_classes} classes: name the data it was trained on with --data"
        )
    images, labels = data.split(args.split)
    normalise = Augmenter(Augment(), mean, std)
    result = evaluate(model.to(args.device), images, labels, normalise, args.batch_size)
    result = {"model": args.model, "data": data.name, "split": args.split, **result}
    report(args, result, lambda: _sentence(result))


def _load(args: argparse.Namespace) -> tuple[Any, tuple[float, ...], tuple[float, ...], str]:
    """The model, the mean and std it wants its images normalised with, and the data set it was trained on."""
    from tinynets.engine import load_checkpoint

    if args.model.split(".")[0] in tinynets.list_models():
        model: Any = tinynets.create_model(args.model, pretrained=True, **model_args(args))
        return model.eval(), model.pretrained_cfg["mean"], model.pretrained_cfg["std"], data_of(args.model)
    if not Path(args.model).suffix and not Path(args.model).exists():
        raise unknown("model or checkpoint", args.model, tinynets.list_models())
    model, checkpoint = load_checkpoint(args.model)
    return model, checkpoint.mean, checkpoint.std, checkpoint.data


def _sentence(result: dict[str, Any]) -> str:
    return (
        f"{result['model']} on {result['data']} {result['split']} ({result['images']:,} images): "
        f"top-1 {result['top1']:.2f} %, top-5 {result['top5']:.2f} %, loss {result['loss']:.4f}, "
        f"{result['images_per_second']:,.0f} images/s"
    )
