"""`tinynets plot RUN...`: curves, confusion matrix, calibration, samples and augmented samples of training runs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data import load_data_of
from .mistakes import worst_mistakes
from .options import common_options, data_options, device_of, device_options, logger, report

if TYPE_CHECKING:
    from torch import Tensor

    from tinynets.engine import ImageData, Trained

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
            raise FileNotFoundError(f"{path} contains no finished epoch: choose a run directory with a metrics.csv")
    out = Path(args.out) if args.out else (directories or [Path()])[0] / "plots"
    files = []
    if directories:
        histories = map(read_metrics, directories)
        plot_curves(dict(zip(_names(directories), histories, strict=True)), out / "curves.png")
        files.append("curves.png")
    for name, run in zip(_names([Path(name) for name in args.runs]), args.runs, strict=True):
        files += _plot_images(args, run, out, f"{name}-" if len(args.runs) > 1 else "")
    report(args, {"out": str(out), "files": files}, lambda: "\n".join(str(out / name) for name in files))


def _names(runs: list[Path]) -> list[str]:
    """Names of the directories; whole paths where two names are equal."""
    names = [path.resolve().name for path in runs]
    return names if len(set(names)) == len(names) else [str(path) for path in runs]


def _plot_images(args: argparse.Namespace, run: str, out: Path, prefix: str) -> list[str]:
    """Plots that need the data. Without the data they are skipped, with a line that says so."""
    from tinynets.engine import load_trained, match_data

    path = Path(run)
    try:
        trained = load_trained(path if path.is_dir() else run)
        metadata = trained.metadata
        data = load_data_of(args, None, metadata, metadata.model, trained.in_chans, trained.config, run=run)
        data = match_data(data, trained, resize=args.img_size is None)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        if not path.is_dir():
            raise
        logger.warning(f"only the curves of {path}: {error}")
        return []
    trained.model.to(device_of(args))
    files = _plot_test(trained, data, out, prefix)
    return files + _plot_training(path, data, out, prefix) if path.is_dir() else files


def _plot_test(trained: "Trained", data: "ImageData", out: Path, prefix: str) -> list[str]:
    """Confusion matrix, calibration, samples, and the test images misclassified with the highest confidence."""
    import torch

    from tinynets.engine import Normalize, calibration_bins, confusion_matrix, predict
    from tinynets.report.plots import plot_calibration, plot_confusion

    logits = predict(trained.model, data.test_images, Normalize(trained.metadata.mean, trained.metadata.std))
    plot_confusion(confusion_matrix(logits, data.test_labels), data.class_names, out / f"{prefix}confusion.png")
    plot_calibration(calibration_bins(logits, data.test_labels), out / f"{prefix}calibration.png")
    files = [f"{prefix}confusion.png", f"{prefix}calibration.png"]
    samples = _spread(len(data.test_labels))
    mistakes = torch.tensor(worst_mistakes(logits, data.test_labels, _SAMPLES), dtype=torch.int64)
    for name, rows in (("samples", samples), ("mistakes", mistakes)):
        if len(rows):
            labels = [data.class_names[i] for i in data.test_labels[rows]]
            predicted = [data.class_names[i] for i in logits[rows].argmax(1)]
            titles = [a if a == b else f"{a} → {b}" for a, b in zip(labels, predicted, strict=True)]
            files += _plot_samples(data.test_images[rows].float() / 255, labels, titles, out, f"{prefix}{name}")
    return files


def _plot_training(run: Path, data: "ImageData", out: Path, prefix: str) -> list[str]:
    """Training images, augmented as in the run."""
    from tinynets.engine import Augmenter, read_recipe

    sample = _spread(len(data.train_labels))
    augment = Augmenter(read_recipe(run / "recipe.json").augment, data.mean, data.std)
    augmented = augment.restore(augment(data.train_images[sample]))
    labels = [data.class_names[i] for i in data.train_labels[sample]]
    return _plot_samples(augmented, labels, labels, out, f"{prefix}augmented")


def _plot_samples(images: "Tensor", labels: list[str], titles: list[str], out: Path, name: str) -> list[str]:
    """A grid, and a file for each image."""
    from tinynets.report.plots import plot_grid, save_tiles

    plot_grid(images, out / f"{name}.png", titles)
    save_tiles(images, labels, out / name)
    return [f"{name}.png", f"{name}/"]


def _spread(count: int) -> "Tensor":
    """Up to 16 indices from a fixed shuffle."""
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:_SAMPLES]
