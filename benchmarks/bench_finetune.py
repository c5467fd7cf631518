"""What shipped weights are worth where data are few: ten classes of CIFAR-100, 50 training images each.

    python benchmarks/bench_finetune.py --data-dir ~/data
    python benchmarks/bench_finetune.py --data-dir ~/data --choose --set optimizer.lr=3e-3    # on validation images

Fine-tuning by the recipe of that name, and training from scratch for as many epochs: by the same recipe, and by the
model's own. A seed draws the training images too. Top-1 is that of the last epoch on the ten classes' 1,000 test
images; with --choose on 1,000 other training images, which is what the recipe was chosen by. --set holds for every kind
of training. The table goes to benchmarks/results/bench_finetune.csv.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from _measure import made_by, write_csv

from tinynets.engine import ImageData, Recipe, get_recipe, load_data, override, train, with_epochs
from tinynets.engine.recipes import parse_settings
from tinynets.report import text_table

RESULTS = Path(__file__).parent / "results"
MODELS = ("optimized200k_cifar10", "c1c2c3c4o_cifar10")
ARMS = ("finetune", "scratch, the same recipe", "scratch, its own recipe")
CLASSES, IMAGES, HELD_OUT, EPOCHS = 10, 50, 100, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder that holds CIFAR-100 (default: data)")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--arms", nargs="+", type=int, default=range(len(ARMS)), help="0 to 2 (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any field of the recipes")
    parser.add_argument("--choose", action="store_true", help="score on validation images, and write no table")
    args = parser.parse_args()

    everything = load_data("cifar100", args.data_dir)
    rows = []
    for model in args.models:
        for arm in (ARMS[index] for index in args.arms):
            scores = []
            for seed in args.seeds:
                data = few(everything, seed, args.choose)
                recipe = override(recipe_of(model, arm), {"seed": seed, "val_size": 0.0} | parse_settings(args.set))
                scores.append(score(model, arm, data, recipe))
            rows.append(row_of(model, arm, recipe, scores))
            print(text_table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows]), flush=True)
    if not args.choose:
        write_csv(RESULTS / "bench_finetune.csv", [row | made_by(torch.device("cpu")) for row in rows])


def few(data: ImageData, seed: int, choose: bool) -> ImageData:
    """A few training images of the first classes; all of their test images, or other training images to choose by."""
    generator = torch.Generator().manual_seed(seed)
    train_rows, held_out = [], []
    for label in range(CLASSES):
        members = (data.train_labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        train_rows.append(members[:IMAGES])
        held_out.append(members[IMAGES : IMAGES + HELD_OUT])
    rows, other = torch.cat(train_rows), torch.cat(held_out)
    tests = data.test_labels < CLASSES
    test = (
        (data.train_images[other], data.train_labels[other])
        if choose
        else (
            data.test_images[tests],
            data.test_labels[tests],
        )
    )
    return dataclasses.replace(
        data,
        name=f"cifar100, {CLASSES} classes of {IMAGES}",
        train_images=data.train_images[rows],
        train_labels=data.train_labels[rows],
        test_images=test[0],
        test_labels=test[1],
        class_names=data.class_names[:CLASSES],
        source=None,
    )


def recipe_of(model: str, arm: str) -> Recipe:
    finetune = with_epochs(get_recipe(model, "finetune"), EPOCHS)
    if arm != ARMS[2]:
        return finetune
    own = with_epochs(get_recipe(model), finetune.schedule.epochs)
    return override(own, {"optimizer.muon_precision": "fp32"})  # bf16 is emulated on a CPU, at 20 times the time


def score(model: str, arm: str, data: ImageData, recipe: Recipe) -> float:
    with tempfile.TemporaryDirectory() as out:
        return train(model, data, recipe, out, pretrained=arm == ARMS[0])["last"]["test_top1"]


def row_of(model: str, arm: str, recipe: Recipe, scores: list[float]) -> dict[str, Any]:
    return {
        "model": model,
        "training": arm,
        "epochs": recipe.schedule.epochs,
        "seeds": len(scores),
        "top1": f"{statistics.mean(scores):.2f}",
        "std": f"{statistics.stdev(scores):.2f}" if len(scores) > 1 else "",
        "each": " ".join(f"{value:.1f}" for value in scores),
    }


if __name__ == "__main__":
    main()
