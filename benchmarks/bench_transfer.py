"""What pretrained weights are worth on photos: few and many images a class, three kinds of start.

    python benchmarks/bench_transfer.py flowers signs --data-dir ~/data
    python benchmarks/bench_transfer.py flowers --starts photos --choose --set optimizer.lr=1e-3    # to choose a recipe

Each FOLDER holds class folders; a fifth of each class is for testing, a tenth for validation. With --data-dir ten
classes of CIFAR-100 are another set. Every start has the recipe `finetune`: the photo backbone, the smaller one,
Optimized200K's CIFAR-10 weights, and the photo backbone's net from scratch. A seed draws the training images too.
Top-1 is that of the last epoch on the test images; with --choose on the validation images, which is what the recipe was
chosen by. Adds its rows to benchmarks/results/bench_transfer.csv, or replaces them.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from _measure import made_by, put_row

from tinynets.engine import ImageData, get_recipe, load_data, override, train
from tinynets.engine.recipes import parse_settings
from tinynets.report import text_table

TABLE = Path(__file__).parent / "results/bench_transfer.csv"
PHOTOS = "mote_s2_450k.tiny_imagenet"
STARTS = {
    "photos": (PHOTOS, True),
    "small": ("mote_s2_120k.tiny_imagenet", True),
    "cifar10": ("optimized200k_cifar10", True),
    "scratch": (PHOTOS, False),
}
FEW, CLASSES, HELD_OUT = 20, 10, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="*")
    parser.add_argument("--data-dir", help="folder that holds CIFAR-100")
    parser.add_argument("--starts", nargs="+", default=list(STARTS), choices=STARTS)
    parser.add_argument("--images", nargs="+", type=int, default=[FEW, 0], help="per class, 0 for all (default: 20 0)")
    parser.add_argument("--img-size", type=int, default=128, help="pixels (default: 128)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--init", help="a checkpoint in place of the photo backbone's weights, its name is the start's")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any field of the recipe")
    parser.add_argument("--choose", action="store_true", help="score on validation images, and write no table")
    args = parser.parse_args()

    size = (args.img_size, args.img_size)
    sets = [load_data(folder, img_size=size, in_chans=3, test_size=0.2, val_size=0.1) for folder in args.folders]
    if args.data_dir:
        sets.append(ten_classes(load_data("cifar100", args.data_dir, img_size=size)))
    rows: list[dict[str, Any]] = []
    for everything in sets:
        for images in args.images:
            for start in args.starts:
                model, pretrained = STARTS[start]
                init = args.init if start == "photos" else None
                results = []
                for seed in args.seeds:
                    data = few(everything, images, seed) if images else everything
                    if not args.choose:
                        data = dataclasses.replace(data, val_images=None, val_labels=None)
                    recipe = get_recipe(model, "finetune")
                    recipe = override(recipe, {"seed": seed, "val_size": 0.0} | parse_settings(args.set))
                    with tempfile.TemporaryDirectory() as out:
                        weights: dict[str, Any] = {"init": init} if init else {"pretrained": pretrained}
                        results.append(train(model, data, recipe, out, **weights))
                score = "val_top1" if args.choose else "test_top1"
                scores = [result["last"][score] for result in results]
                rows.append(
                    {
                        "set": everything.name,
                        "classes": everything.num_classes,
                        "images": images or "all",
                        "pixels": args.img_size,
                        "start": Path(init).name if init else start,
                        "epochs": results[0]["last"]["epoch"],
                        "top1": f"{statistics.mean(scores):.2f}",
                        "std": f"{statistics.stdev(scores):.2f}" if len(scores) > 1 else "",
                        "each": " ".join(f"{value:.1f}" for value in scores),
                        "seconds": f"{statistics.median(result['train_seconds'] for result in results):.0f}",
                    }
                )
                print(text_table(tuple(rows[-1]), [tuple(map(str, rows[-1].values()))]), flush=True)
                if not args.choose:
                    put_row(TABLE, rows[-1] | made_by(torch.device("cpu")), "set", "images", "pixels", "start")


def few(data: ImageData, images: int, seed: int) -> ImageData:
    """That many training images of each class."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for label in range(data.num_classes):
        members = (data.train_labels == label).nonzero().flatten()
        rows.append(members[torch.randperm(len(members), generator=generator)][:images])
    kept = torch.cat(rows)
    return dataclasses.replace(
        data, train_images=data.train_images[kept], train_labels=data.train_labels[kept], files={}, source=None
    )


def ten_classes(data: ImageData) -> ImageData:
    """The first classes, with some training images to validate."""
    train_rows, val_rows = [], []
    for label in range(CLASSES):
        members = (data.train_labels == label).nonzero().flatten()
        val_rows.append(members[:HELD_OUT])
        train_rows.append(members[HELD_OUT:])
    train_kept, val_kept, test_kept = torch.cat(train_rows), torch.cat(val_rows), data.test_labels < CLASSES
    return dataclasses.replace(
        data,
        name=f"cifar100, {CLASSES} classes",
        train_images=data.train_images[train_kept],
        train_labels=data.train_labels[train_kept],
        val_images=data.train_images[val_kept],
        val_labels=data.train_labels[val_kept],
        test_images=data.test_images[test_kept],
        test_labels=data.test_labels[test_kept],
        class_names=data.class_names[:CLASSES],
        source=None,
    )


if __name__ == "__main__":
    main()
