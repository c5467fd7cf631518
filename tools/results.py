"""The accuracy of the shipped weights beside other people's nets of comparable size: tables and picture of the README.

python tools/results.py
python tools/results.py --write README.md --plot docs/accuracy.png
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages import markdown_table, replace_block
from peers import list_peers

import tinynets
from tinynets.report import text_table
from tinynets.report.plots import _COLORS, _figure, _save
from tinynets.weights import Weights, read_manifest

if TYPE_CHECKING:
    from tinynets.engine import Recipe

_TITLES = {"cifar100": "CIFAR-100", "cifar10": "CIFAR-10", "tiny_imagenet": "Tiny-ImageNet", "mnist": "MNIST"}
_OPTIMIZERS = {"sgd": "SGD", "muon": "Muon", "adam": "Adam", "adamw": "AdamW"}
_FIGURES = ("params", "multiply-adds", "test top-1")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", metavar="FILE", help="put the tables between <!-- results --> and its end in FILE")
    parser.add_argument("--plot", metavar="FILE", help="draw accuracy against parameters into FILE (.png, .svg)")
    args = parser.parse_args(argv)
    rows = all_rows()
    tables = {title: [row for row in rows if row["data"] == data] for data, title in _TITLES.items()}
    if args.write:
        parts = [f"**{title}**\n\n{_markdown(table)}" for title, table in tables.items()]
        replace_block(args.write, "results", "\n\n".join(parts))
    if args.plot:
        plot_accuracy({title: table for title, table in tables.items() if len(table) > 2}, args.plot)
    print("\n\n".join(f"{title}\n\n{_text(table)}" for title, table in tables.items()))


def all_rows() -> list[dict[str, Any]]:
    """Our nets and the others, the best first."""
    rows = [_ours(name, weights) for name, weights in read_manifest().items()]
    rows += [{**asdict(peer), "ours": False} for peer in list_peers()]
    return sorted(rows, key=lambda row: -row["top1"])


def _ours(name: str, weights: Weights) -> dict[str, Any]:
    from tinynets.engine.recipes import recipe_from_dict

    metadata = weights.metadata
    return {
        "data": metadata["data"],
        "model": name,
        "params": metadata["params"],
        "macs": tinynets.summary(tinynets.create_model(name)).macs,
        "top1": metadata["top1"],
        "training": _training(
            recipe_from_dict(metadata["recipe"]),
            f"{len(metadata['log'])} {'more ' * ('started_from' in metadata)}epochs",
            list(metadata["seeds"].values()),
        ),
        "best_on_test": False,
        "installable": True,
        "source": "tinynets",
        "ours": True,
    }


def _training(recipe: "Recipe", epochs: str, seeds: list[float]) -> str:
    """A recipe in a few words, with the mean accuracy if there were several seeds."""
    augment, mixing = recipe.augment, recipe.mixing
    used = {
        "crop": augment.pad,
        "flip": augment.flip,
        "affine": augment.rotate or augment.scale or augment.shift or augment.shear,
        "AutoAugment": augment.policy == "autoaugment",
        "Cutout": augment.cutout,
        "mixup": mixing.mixup,
        "CutMix": mixing.cutmix,
        "RICAP": mixing.ricap,
        "label smoothing": recipe.label_smoothing,
        "distilled": recipe.distill.teacher,
        "EMA": recipe.ema_decay,
    }
    name = recipe.optimizer.name
    words = [epochs, _OPTIMIZERS.get(name, name)]
    text = ", ".join(words + [word for word, given in used.items() if given])
    return text + (f"; mean of {len(seeds)} seeds {sum(seeds) / len(seeds):.2f}" if len(seeds) > 1 else "")


def _text(table: list[dict[str, Any]]) -> str:
    rows = [(row["model"], _place(row), row["training"] or "-", *_figures(row)) for row in table]
    return text_table(("model", "weights", "training", *_FIGURES), rows, left=3)


def _markdown(table: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"**{row['model']}**" if row["ours"] else row["model"],
            *_figures(row),
            row["training"] or "-",
            _place(row),
            "tinynets" if row["ours"] else f"[{row['source'].partition('/')[2]}](https://{row['source']})",
        )
        for row in table
    ]
    return markdown_table(("model", *_FIGURES, "training", "weights", "from"), rows, slice(1, 4))


def _figures(row: dict[str, Any]) -> tuple[str, str, str]:
    macs = f"{row['macs'] / 1e6:.3g} M" if row["macs"] else "-"
    mark = " (best on test)" if row["best_on_test"] else ""
    return f"{row['params'] / 1e3:.3g} K", macs, f"{row['top1']:.2f}{mark}"


def _place(row: dict[str, Any]) -> str:
    return "in this package" if row["ours"] else "pip" if row["installable"] else "-"


def plot_accuracy(tables: Mapping[str, Sequence[Mapping[str, Any]]], path: str | Path) -> None:
    """Plot test accuracy against parameters (log axis), our nets and other people's, one panel for each data set.

    Args:
        tables: rows of `all_rows`, by the title of the data set. The keys model, params, top1, ours and
            installable are used.
        path: the picture to write.
    """
    figure = _figure(5.2 * len(tables), 4.6)
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    tables = {title: [row for row in rows if row["params"]] for title, rows in tables.items()}
    for axes, (title, rows) in zip(panels, tables.items(), strict=True):
        for row in rows:
            kind = (
                (_COLORS[1], "o", 80)
                if row["ours"]
                else (("#555555", "s", 30) if row["installable"] else ("#aaaaaa", "s", 30))
            )
            axes.scatter(
                row["params"], row["top1"], color=kind[0], marker=kind[1], s=kind[2], zorder=3 if row["ours"] else 2
            )
        low, high = min(row["top1"] for row in rows), max(row["top1"] for row in rows)
        margin = 0.08 * max(high - low, 0.1)
        sizes = [row["params"] for row in rows]
        axes.set(xscale="log", title=title, xlabel="parameters", ylim=(low - margin, high + margin))
        left, right = 0.3 * min(sizes), 4 * max(sizes)
        axes.set_xlim(left, right)  # space for the names
        ticks = [size for size in (1e4, 2e4, 5e4, 1e5, 2e5, 5e5) if left <= size <= right]
        axes.set_xticks(ticks, [f"{size / 1000:.0f} K" for size in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test top-1 (%)")
    kinds = (("tinynets", _COLORS[1], "o"), ("in another pip package", "#555555", "s"), ("published", "#aaaaaa", "s"))
    for name, color, marker in kinds:
        panels[0].scatter([], [], color=color, marker=marker, label=name)
    figure.legend(*panels[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    figure.draw_without_rendering()  # the layout, which the names do not change
    for axes, rows in zip(panels, tables.values(), strict=True):
        _label_points(axes, rows)
    _save(figure, path)


def _label_points(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a name beside every point, at the first place where it covers no point and no other name."""
    from matplotlib.transforms import Bbox

    places = [(x, y) for y in (0, 6, -6, 12, -12) for x in (7, -7)]  # in points: on the right, then on the left
    taken = [Bbox.from_extents(x - 4, y - 4, x + 4, y + 4) for x, y in map(axes.transData.transform, map(_at, rows))]

    def is_free(box: Any) -> bool:
        return axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1 and not box.count_overlaps(taken)

    for row in sorted(rows, key=lambda row: not row["ours"]):
        name = _name(axes, row)
        place = next((place for place in places if is_free(_moved(name, place))), places[0])
        taken.append(_moved(name, place))


def _name(axes: Any, row: Mapping[str, Any]) -> Any:
    return axes.annotate(
        row["model"].partition(",")[0].partition(" (")[0],
        _at(row),
        (0, 0),
        textcoords="offset points",
        fontsize=8,
        va="center",
        color=_COLORS[1] if row["ours"] else "#555555",
        weight="bold" if row["ours"] else "normal",
        in_layout=False,
    )


def _moved(name: Any, place: tuple[float, float]) -> Any:
    """Where the name is after a move, in pixels."""
    name.set(position=place, ha="left" if place[0] > 0 else "right")
    return name.get_window_extent()


def _at(row: Mapping[str, Any]) -> tuple[float, float]:
    return row["params"], row["top1"]


if __name__ == "__main__":
    main()
