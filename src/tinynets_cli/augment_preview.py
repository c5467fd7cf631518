"""`tinynets augment-preview MODEL`: draw what a recipe does to training images."""

import argparse
from pathlib import Path
from typing import Any

from . import options
from .data import data_of, load_data_of

_IMAGES, _VIEWS = 8, 7  # rows, and augmented views in each


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "augment-preview",
        parents=[options.common_options(), options.recipe_source_options(), options.data_options()],
        help="draw augmented training images",
    )
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--out", metavar="FILE", default="augment-preview.png")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    import torch

    from tinynets.engine import Augmenter
    from tinynets.engine.augment import BatchRNG, Mixer
    from tinynets.engine.recipes import parse_settings
    from tinynets.report.plots import plot_grid

    default = data_of(args.model)
    for field in parse_settings(args.set):
        if field.partition(".")[0] not in ("augment", "mixing", "seed"):
            raise ValueError(f"--set {field} has no effect on a preview: set fields of augment or mixing")
    recipe = options.recipe_of(args, args.model, args.data or default)
    data = load_data_of(args, default, model=args.model, split_args={"seed": recipe.seed})
    generator = torch.Generator().manual_seed(recipe.seed)
    rows = torch.randperm(len(data.train_labels), generator=generator)[:_IMAGES]
    images, labels = data.train_images[rows], data.train_labels[rows]
    augment = Augmenter(recipe.augment, data.mean, data.std)
    mix = Mixer(recipe.mixing, data.num_classes)
    columns = [images.float() / 255]
    titles = [[data.class_names[label] for label in labels]]
    for _ in range(_VIEWS):
        rng = BatchRNG(generator, len(images))
        x, targets = mix(augment(images, rng), labels, rng)
        columns.append(augment.restore(x))
        titles.append([""] * len(images) if targets.ndim == 1 else [_mixture(t, data.class_names) for t in targets])
    grid = torch.stack(columns, 1).flatten(0, 1)
    plot_grid(grid, args.out, [t for row in zip(*titles, strict=True) for t in row], columns=_VIEWS + 1)
    metadata = {"out": args.out, "augment": recipe.to_dict()["augment"], "mixing": recipe.to_dict()["mixing"]}
    options.report(args, metadata, lambda: str(Path(args.out)))


def _mixture(targets: Any, class_names: tuple[str, ...]) -> str:
    """The two largest parts, as "cat .7 dog .3"."""
    values, classes = targets.topk(min(2, len(targets)))
    parts = zip(values.tolist(), classes.tolist(), strict=True)
    return " ".join(f"{class_names[c]} {v:.1f}" for v, c in parts if v > 0.05)
