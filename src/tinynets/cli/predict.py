"""`tinynets predict MODEL_OR_CHECKPOINT IMAGE...`: the most probable classes of image files."""

import argparse
from typing import Any

from tinynets._checks import check_positive

from .options import common_options, device_of, device_options, model_options, report, trained_of


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "predict",
        parents=[common_options(), model_options(), device_options()],
        help="the most probable classes of image files",
    )
    command.add_argument(
        "model", metavar="MODEL_OR_CHECKPOINT", help="a model with pretrained weights, or a run or its .safetensors"
    )
    command.add_argument("images", metavar="IMAGE", nargs="+", help="resized to the model's input")
    command.add_argument("--top", type=int, default=3, help="classes to name (default: 3)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    import torch

    from tinynets.engine import Augment, Augmenter, predict, read_image

    check_positive(top=args.top)
    trained = trained_of(args)
    model, facts = trained.model, trained.facts
    height, width = getattr(model, "img_size", None) or facts.img_size or model.pretrained_cfg["input_size"][1:]
    mode = {1: "L", 3: "RGB"}.get(model.in_chans)
    if mode is None:
        raise ValueError(f"{args.model} takes {model.in_chans}-channel images: image files have 1 or 3")
    images = torch.stack([read_image(path, mode, (height, width)) for path in args.images])
    logits = predict(model.to(device_of(args)), images, Augmenter(Augment(), facts.mean, facts.std))
    shares, classes = logits.softmax(1).topk(min(args.top, logits.shape[1]), dim=1)
    class_names = facts.class_names or tuple(map(str, range(logits.shape[1])))
    predictions = [
        {
            "image": path,
            "classes": [
                {"class": class_names[index], "probability": share}
                for share, index in zip(row_shares.tolist(), row.tolist(), strict=True)
            ],
        }
        for path, row_shares, row in zip(args.images, shares, classes, strict=True)
    ]
    report(args, {"model": args.model, "predictions": predictions}, lambda: "\n".join(map(_line, predictions)))


def _line(prediction: dict[str, Any]) -> str:
    named = ", ".join(f"{c['class']} {100 * c['probability']:.1f} %" for c in prediction["classes"])
    return f"{prediction['image']}: {named}"
