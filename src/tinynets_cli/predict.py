"""`tinynets predict MODEL_OR_CHECKPOINT IMAGE...`: the most probable classes of image files."""

import argparse
import csv
import glob
import io
import os
from typing import Any

from .data import warn_of_polarity
from .options import background_option, common_options, device_of, device_options, logger


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "predict",
        parents=[common_options(), device_options(), background_option()],
        help="the most probable classes of image files",
    )
    command.add_argument(
        "model", metavar="MODEL_OR_CHECKPOINT", help="a model with pretrained weights, or a run or its .safetensors"
    )
    command.add_argument(
        "images", metavar="IMAGE", nargs="+", help="files, folders (recursive) or patterns such as 'in/*.jpg'"
    )
    command.add_argument("--top", type=int, default=3, help="number of classes to print (default: 3)")
    command.add_argument("--batch-size", type=int, default=256, help="images per batch (default: 256)")
    command.add_argument("--invert", action="store_true", help="invert the images first (swap light and dark)")
    command.add_argument("--csv", metavar="FILE", help="also write a table to FILE")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets._checks import check_positive
    from tinynets._files import check_writable, to_json, write_file
    from tinynets.engine import load_trained, read_images
    from tinynets.engine.data import wrong_polarity

    check_positive(top=args.top, batch_size=args.batch_size)
    if args.csv:
        check_writable(args.csv)
    trained = load_trained(args.model)
    metadata, mode, size = trained.metadata, trained.mode, trained.img_size
    background = args.background or (metadata.data_source or {}).get("background", "white")
    trained.model.to(device_of(args))
    paths, errors, notes = _find_images(args.images)
    for text in notes:
        logger.warning(text)
    predictions: list[dict[str, Any]] = []
    wrong = 0
    for start in range(0, len(paths), args.batch_size):
        batch = paths[start : start + args.batch_size]
        images, bad = read_images(batch, mode, size, background, progress=args.json, config=trained.config)
        errors += [{"image": batch[index], "error": reason} for index, reason in bad.items()]
        if len(images) == 0:
            continue
        images = 255 - images if args.invert else images
        wrong += int(wrong_polarity(images, metadata.mean, metadata.std).sum())
        good = [path for index, path in enumerate(batch) if index not in bad]
        results = [
            {"image": path, "classes": [{"class": name, "probability": probability} for name, probability in classes]}
            for path, classes in zip(good, trained.predict(images, args.top, args.batch_size), strict=True)
        ]
        if not args.json:
            print("\n".join(map(_line, results)), flush=True)
        predictions += results
    warn_of_polarity(wrong, len(predictions), metadata, args.invert)
    if args.csv:
        write_file(args.csv, _table(predictions, errors).encode("utf-8", "backslashreplace"))
    if args.json and predictions:
        print(to_json({"model": args.model, "predictions": predictions, "errors": errors}))
    if errors:
        raise ValueError(_error_summary([error["error"] for error in errors], len(predictions)))


def _find_images(arguments: list[str]) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Files that the paths, folders and patterns name, an error for each that names none, and what was left out."""
    from tinynets.engine.data.listing import walk_images

    paths: list[str] = []
    errors: list[dict[str, str]] = []
    notes: list[str] = []
    for text in arguments:
        found = [text]
        if glob.has_magic(text) and not os.path.exists(text):
            found = sorted(glob.glob(text, recursive=True))
            if not found:
                errors.append({"image": text, "error": f"no file matches {text}"})
        for path in found:
            if not os.path.isdir(path):
                paths.append(path)
                continue
            listing = walk_images(path)
            paths += map(str, listing.images)
            errors += [{"image": inside, "error": reason} for inside, reason in listing.unreadable.items()]
            notes += [f"{path}: {text}" for text in listing.notes()]
            if not listing.images and not listing.unreadable:
                errors.append({"image": path, "error": f"{path} is a folder without images"})
    return paths, errors, notes


def _line(prediction: dict[str, Any]) -> str:
    from tinynets._text import printable

    classes = ", ".join(f"{c['class']} {100 * c['probability']:.1f} %" for c in prediction["classes"])
    return printable(f"{prediction['image']}: {classes}")


def _table(predictions: list[dict[str, Any]], errors: list[dict[str, str]]) -> str:
    """CSV: image, class_1, probability_1, ..., error."""
    width = max((len(p["classes"]) for p in predictions), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [name for i in range(1, width + 1) for name in (f"class_{i}", f"probability_{i}")]
    writer.writerow(["image", *columns, "error"])
    for p in predictions:
        writer.writerow([p["image"], *(value for c in p["classes"] for value in c.values()), ""])
    for error in errors:
        writer.writerow([error["image"], *[""] * len(columns), error["error"]])
    return text.getvalue()


def _error_summary(reasons: list[str], count: int) -> str:
    if len(reasons) == 1:
        return reasons[0] + (f"; images classified: {count:,}" if count else "")
    more = f"; and {len(reasons) - 10:,} more" if len(reasons) > 10 else ""
    return f"{len(reasons):,} of {len(reasons) + count:,} images cannot be used: {'; '.join(reasons[:10])}{more}"
