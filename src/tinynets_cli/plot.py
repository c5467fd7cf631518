"""`tinynets plot RUN...`: curves, confusion matrix, calibration, samples and augmented samples of training runs."""

import argparse
from pathlib import Path
from typing import Any

from .options import common_options, data_options, device_of, device_options, load_data_of, logger, report

_SAMPLES = 16


def add_command(commands: Any) -> None:
    command = commands.add_parser(
        "plot",
        parents=[common_options(), data_options(), device_options()],
        help="curves, confusion matrix, calibration and sample images of runs",
    )
    command.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="run directories, whose curves share one picture; or, without curves, a checkpoint or a pretrained model",
    )
    command.add_argument("--out", metavar="DIR", help="where the pictures go (default: plots in the first run)")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tinynets.engine import read_metrics
    from tinynets.report.plots import plot_curves

    directories = [Path(name) for name in args.runs if Path(name).is_dir()]
    for path in directories:
        if not (path / "metrics.csv").exists():
            raise FileNotFoundError(f"{path} holds no finished epoch: name a run directory with a metrics.csv")
    out = Path(args.out) if args.out else (directories or [Path()])[0] / "plots"
    made = []
    if directories:
        histories = map(read_metrics, directories)
        plot_curves(dict(zip(_names(directories), histories, strict=True)), out / "curves.png")
        made.append("curves.png")
    for name, run in zip(_names([Path(name) for name in args.runs]), args.runs, strict=True):
        made += _plot_images(args, run, out, f"{name}-" if len(args.runs) > 1 else "")
    report(args, {"out": str(out), "files": made}, lambda: "\n".join(str(out / name) for name in made))


def _names(runs: list[Path]) -> list[str]:
    """Names of the directories; whole paths where two names are equal."""
    names = [path.resolve().name for path in runs]
    return names if len(set(names)) == len(names) else [str(path) for path in runs]


def _plot_images(args: argparse.Namespace, run: str, out: Path, prefix: str) -> list[str]:
    """Plots that need the data. Without the data they are skipped, with a line that says so."""
    from tinynets.engine import (
        Augmenter,
        Normalize,
        calibration_bins,
        confusion_matrix,
        load_trained,
        match_data,
        predict,
        read_recipe,
    )
    from tinynets.report.plots import plot_calibration, plot_confusion, plot_grid, save_tiles

    path = Path(run)
    try:
        trained = load_trained(path if path.is_dir() else run)
        model, metadata = trained.model, trained.metadata
        data = load_data_of(args, None, metadata, metadata.model, trained.in_chans, trained.config)
        data = match_data(data, trained, resize=args.img_size is None)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        if not path.is_dir():
            raise
        logger.warning(f"only the curves of {path}: {error}")
        return []
    normalize = Normalize(metadata.mean, metadata.std)
    logits = predict(model.to(device_of(args)), data.test_images, normalize)
    plot_confusion(confusion_matrix(logits, data.test_labels), data.class_names, out / f"{prefix}confusion.png")
    plot_calibration(calibration_bins(logits, data.test_labels), out / f"{prefix}calibration.png")

    shown = _spread(len(data.test_labels))
    labels = [data.class_names[i] for i in data.test_labels[shown]]
    said = [data.class_names[i] for i in logits[shown].argmax(1)]
    titles = [label if label == word else f"{label}, not {word}" for label, word in zip(labels, said, strict=True)]
    samples = data.test_images[shown].float() / 255
    plot_grid(samples, out / f"{prefix}samples.png", titles)
    save_tiles(samples, labels, out / f"{prefix}samples")

    made = ("confusion.png", "calibration.png", "samples.png", "samples/")
    if not path.is_dir():
        return [f"{prefix}{name}" for name in made]
    chosen = _spread(len(data.train_labels))
    augment = Augmenter(read_recipe(path / "recipe.json").augment, data.mean, data.std)
    augmented = augment.restore(augment(data.train_images[chosen]))
    names = [data.class_names[i] for i in data.train_labels[chosen]]
    plot_grid(augmented, out / f"{prefix}augmented.png", names)
    save_tiles(augmented, names, out / f"{prefix}augmented")
    return [f"{prefix}{name}" for name in (*made, "augmented.png", "augmented/")]


def _spread(count: int) -> Any:
    """Up to 16 indices from a fixed shuffle."""
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:_SAMPLES]
