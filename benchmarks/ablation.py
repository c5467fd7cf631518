"""What each mechanism of EGRR, ECNet and Mote is worth: the net and its variants (`_variants.py`), trained alike.

    python benchmarks/ablation.py ecnet_cifar10 --data-dir ~/data --out runs/ablation
    python benchmarks/ablation.py egrr_cifar100 --model-kwargs width=0.5 --variants egrr_free --seeds 0 1 --out runs/x

The recipe is the net's own unless options say otherwise. --model-kwargs is for the net and its variants alike.
Every variant and seed has a run directory, and a run that was stopped is resumed. Accuracy and loss are those of the
validation split after the last epoch. Shift consistency is measured on the test images; it needs no labels. The table
goes to benchmarks/results/ablation_MODEL.csv.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
from _measure import made_by, write_csv
from _variants import VARIANTS

import tinynets
from tinynets.engine import (
    ImageData,
    Normalize,
    Recipe,
    load_checkpoint,
    override,
    read_metrics,
    train,
)
from tinynets.engine.evaluation import shift_consistency
from tinynets.report import text_table
from tinynets_cli.data import data_of, load_data_of
from tinynets_cli.options import (
    data_options,
    device_of,
    device_options,
    model_args,
    model_options,
    recipe_of,
    recipe_options,
)

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[model_options(), recipe_options(), data_options(), device_options()],
    )
    parser.add_argument("model", choices=sorted(VARIANTS))
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="default: the net itself and all of its variants")
    parser.add_argument("--seeds", nargs="+", type=int, help="default: the recipe's")
    parser.add_argument("--out", type=Path, required=True, help="folder of run directories")
    args = parser.parse_args()

    known = (args.model, *VARIANTS[args.model])
    if unknown := set(args.variants or ()) - set(known):
        parser.error(f"{args.model} has no variant {', '.join(sorted(unknown))}: it has {', '.join(known)}")
    data = load_data_of(args, data_of(args.model))
    recipe = recipe_of(args, args.model, data.name)
    if not recipe.val_size:
        parser.error("variants are compared on validation images: val_size must be above 0")
    table = RESULTS / f"ablation_{args.model}.csv"
    rows = []
    for name in args.variants or known:
        for seed in args.seeds or [recipe.seed]:
            out = args.out / f"{name}-{seed}"
            rows.append(measure(name, data, override(recipe, {"seed": seed}), out, device_of(args), model_args(args)))
            write_csv(table, rows)
            print(text_table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows]), flush=True)


def measure(
    name: str, data: ImageData, recipe: Recipe, out: Path, device: str, shape: dict[str, Any]
) -> dict[str, Any]:
    """Train a variant to the end, or find it trained, and measure it."""
    train(name, data, recipe, out, device=device, model_args=shape, resume=True)
    last = read_metrics(out)[-1]
    model, metadata = load_checkpoint(out / "last.safetensors")
    normalize = Normalize(metadata.mean, metadata.std)
    return {
        "variant": name,
        "change": "the net itself" if name in VARIANTS else _first_sentence(timm.model_entrypoint(name)),
        "params": tinynets.count_parameters(model),
        "macs": tinynets.summary(model).macs,
        "seed": recipe.seed,
        "shape": ", ".join(f"{key} {value:g}" for key, value in shape.items()),
        "epochs": recipe.schedule.epochs,
        "pixels": data.img_size[0],
        "train_top1": f"{last['train_top1']:.2f}",
        "val_top1": f"{last['val_top1']:.2f}",
        "val_loss": f"{last['val_loss']:.4f}",
        "shift_consistency": f"{shift_consistency(model.to(device), data.test_images, normalize):.2f}",
        **made_by(next(model.parameters()).device),
    }


def _first_sentence(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition(".")[0]


if __name__ == "__main__":
    main()
