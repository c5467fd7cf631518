"""Plots of runs and images. matplotlib is imported on first use."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from tinynets._files import write_file
from tinynets._text import printable

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito


def plot_curves(runs: Mapping[str, Sequence[Mapping[str, float]]], path: str | Path) -> None:
    """Plot accuracy and loss over the epochs: validation as a line, training dashed.

    Args:
        runs: rows of metrics.csv, by the name of the run.
        path: the picture to write.
    """
    figure = _figure(11, 4.2)
    accuracy, loss = figure.subplots(1, 2)
    for (name, rows), color in zip(runs.items(), _COLORS * len(runs), strict=False):
        epochs = [row["epoch"] for row in rows]
        marker = "o" if len(rows) < 3 else None
        for axes, figure_name in ((accuracy, "top1"), (loss, "loss")):
            train = [row[f"train_{figure_name}"] for row in rows]
            axes.plot(epochs, train, color=color, linestyle="--", marker=marker, label=f"{name}, train")
            if f"val_{figure_name}" in rows[0]:
                validation = [row[f"val_{figure_name}"] for row in rows]
                axes.plot(epochs, validation, color=color, marker=marker, label=f"{name}, validation")
    for axes, label in ((accuracy, "top-1 accuracy (%)"), (loss, "loss")):
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for text in loss.legend(frameon=False).get_texts():
        text.set_parse_math(False)
    _save(figure, path)


def plot_confusion(matrix: Tensor, class_names: Sequence[str], path: str | Path) -> None:
    """Plot a confusion matrix as percentages of each row. Up to 20 classes the percentages are written into the cells.

    Args:
        matrix: (C, C) counts; rows are labels, columns predictions.
        class_names: names of the classes.
        path: the picture to write.
    """
    percent = 100 * matrix.double() / matrix.sum(1, keepdim=True).clamp_min(1)
    classes = len(class_names)
    side = min(16.0, max(4.5, 0.62 * classes if classes <= 20 else 0.16 * classes))
    figure = _figure(side + 1, side)
    axes = figure.subplots()
    image = axes.imshow(percent.numpy(), cmap="Blues", vmin=0, vmax=100)
    axes.set(xlabel="predicted", ylabel="label", xticks=range(classes), yticks=range(classes))
    size = 9 if classes <= 20 else 5
    names = [printable(name) for name in class_names]
    style: dict[str, Any] = {"fontsize": size, "parse_math": False}
    axes.set_xticklabels(names, rotation=90 if classes > 20 else 45, ha="center" if classes > 20 else "right", **style)
    axes.set_yticklabels(names, **style)
    if classes <= 20:
        for row in range(classes):
            for column in range(classes):
                value = percent[row, column].item()
                if value >= 0.05:
                    color = "white" if value > 50 else "black"
                    axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=color)
    figure.colorbar(image, ax=axes, label="% of the label's images", fraction=0.045)
    _save(figure, path)


def plot_calibration(bins: Tensor, path: str | Path) -> None:
    """Plot a reliability diagram: accuracy and share of images in each confidence bin.

    Args:
        bins: (B, 3): each bin's share of the images, mean confidence and accuracy, as `engine.calibration_bins` returns
            them.
        path: the picture to write.
    """
    figure = _figure(4.8, 5.4)
    reliability, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    percent, confidence, accuracy = (100 * bins).unbind(1)
    nonempty = percent > 0
    reliability.plot([0, 100], [0, 100], color="0.6", linewidth=1)
    reliability.plot(
        confidence[nonempty].numpy(), accuracy[nonempty].numpy(), color=_COLORS[0], marker="o", markersize=4
    )
    reliability.set(ylabel="accuracy (%)", xlim=(0, 100), ylim=(0, 100))
    edges = [100 * i / len(bins) for i in range(len(bins))]
    histogram.bar(edges, percent.numpy(), width=100 / len(bins), align="edge", color=_COLORS[5], edgecolor="white")
    histogram.set(xlabel="confidence (%)", ylabel="% of images")
    for axes in (reliability, histogram):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def plot_grid(
    images: Tensor, path: str | Path, titles: Sequence[str] | None = None, columns: int | None = None
) -> None:
    """Plot images as a grid, without smoothing.

    Args:
        images: (N, C, H, W) in 0..1, C 1 or 3.
        path: the picture to write.
        titles: a title for each image.
        columns: number of columns, None for a square grid.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = _figure(1.35 * columns, (1.6 if titles else 1.35) * rows)
    cells = figure.subplots(rows, columns, squeeze=False).flat
    for axes in cells:
        axes.set_axis_off()
    for index, image in enumerate(images):
        cells[index].imshow(_pixels(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if titles:
            cells[index].set_title(printable(titles[index]), fontsize=8, parse_math=False)
    _save(figure, path)


def save_tiles(images: Tensor, names: Sequence[str], folder: str | Path, side: int = 128) -> None:
    """Save each image as folder/00_name.png, enlarged by an integer factor to about side pixels.

    Args:
        images: (N, C, H, W) in 0..1, C 1 or 3.
        names: a name for each image.
        folder: where the files go; created if necessary.
        side: approximate size of the saved images in pixels.
    """
    from PIL import Image

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index, (image, name) in enumerate(zip(images, names, strict=True)):
        scale = max(1, side // max(image.shape[1:]))
        pixels = (_pixels(image) * 255).round().astype("uint8").repeat(scale, 0).repeat(scale, 1)
        safe = "".join(c if c.isalnum() else "-" for c in name)[:50]
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        write_file(folder / f"{index:02}_{safe}.png", content.getvalue())


def _pixels(image: Tensor) -> Any:
    return image[0].numpy() if image.shape[0] == 1 else image.permute(1, 2, 0).numpy()


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError("plots need matplotlib: pip install 'tinynets[plots]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: str | Path) -> None:
    path, content = Path(path), io.BytesIO()
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # glyphs missing in matplotlib's font
        figure.savefig(content, dpi=130, format=path.suffix[1:] or "png")
    write_file(path, content.getvalue())
