"""Bring the figures and pictures of a model card up to date with the shipped weights.

    python tools/model_card.py c1c2c3c4o_cifar10 --data-dir ~/data

Writes what is between the lines `<!-- figures -->` of docs/models/NAME.md, and the pictures beside it.
"""

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

from pages import markdown_table, replace_block

import tinynets
from tinynets.engine import (
    Normalize,
    calibration_bins,
    confusion_matrix,
    load_data,
    load_trained,
    match_data,
    predict,
)
from tinynets.engine.evaluation import TTA, metrics, shift_consistency
from tinynets.engine.loop.malloc import keep_freed_memory
from tinynets.layers import EntropyGate
from tinynets.report.plots import plot_calibration, plot_confusion, plot_curves
from tinynets.weights import Weights, read_manifest

CARDS = Path(__file__).parents[1] / "docs/models"
ABLATIONS = Path(__file__).parents[1] / "benchmarks/results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", choices=sorted(read_manifest()))
    parser.add_argument("--data-dir", help="folder that holds the data set (default: data)")
    args = parser.parse_args()

    keep_freed_memory()
    weights = read_manifest()[args.name]
    data = load_data(weights.metadata["data"], args.data_dir)
    trained = load_trained(args.name)
    model, metadata = trained.model, trained.metadata
    data = match_data(data, trained)
    normalize = Normalize(metadata.mean, metadata.std)
    logits = {tta: predict(model, data.test_images, normalize, tta=tta) for tta in _views(data.name)}
    results = {tta: metrics(values, data.test_labels) for tta, values in logits.items()}
    if abs(results["none"]["top1"] - weights.metadata["top1"]) > 0.02:
        raise SystemExit(f"{args.name} reaches {results['none']['top1']:.2f} %, the manifest says otherwise: ship anew")

    forms = {"as trained": logits["none"]}
    for form, hard in _fused_forms(model).items():
        forms[form] = predict(tinynets.fuse(model, hard=hard), data.test_images, normalize)

    pictures = CARDS / args.name
    confusion = confusion_matrix(logits["none"], data.test_labels)
    plot_curves({args.name: weights.metadata["log"]}, pictures / "curves.png")
    plot_confusion(confusion, data.class_names, pictures / "confusion.png")
    plot_calibration(calibration_bins(logits["none"], data.test_labels), pictures / "calibration.png")
    parts = [
        _size(args.name, model, weights),
        _accuracy(results),
        _shifted(shift_consistency(model, data.test_images, normalize)),
        _forms(forms, data.test_labels),
        _classes(results["none"]["per_class"], confusion, data.class_names),
        *_ablation(ABLATIONS / f"ablation_{args.name}.csv"),
        _training(weights),
        _pictures(args.name),
    ]
    replace_block(CARDS / f"{args.name}.md", "figures", "\n\n".join(parts))


def _views(data: str) -> tuple[str, ...]:
    """Digits have no mirror images."""
    return tuple(tta for tta in TTA if data != "mnist" or "flip" not in tta)


def _size(name: str, model: Any, weights: Weights) -> str:
    rows = [
        ("parameters", f"{weights.metadata['params']:,}"),
        ("multiply-adds an image", f"{tinynets.summary(model).macs:,}"),
        ("receptive field", f"{tinynets.receptive_field(model).size:g} pixels"),
        ("file", f"`{weights.path.name}`, {weights.path.stat().st_size:,} bytes, in the wheel"),
        ("sha256", f"`{weights.sha256}`"),
    ]
    for to, file in weights.metadata.get("files", {}).items():
        size = f"{(weights.path.parent / file['file']).stat().st_size:,} bytes"
        micro = f"{file['micro_top1']:.2f} % and {file['arena_bytes']:,} bytes of RAM in TensorFlow Lite Micro"
        rows.append(
            (f"`{to}` file", f"`{file['file']}`, {size}, in the wheel: {file['top1']:.2f} % in LiteRT, {micro}")
        )
    return markdown_table((name, weights.tag), rows, slice(0, 0))


def _accuracy(results: dict[str, dict[str, Any]]) -> str:
    rows = [
        (tta, f"{r['top1']:.2f} %", f"{r['top5']:.2f} %", f"{r['loss']:.4f}", f"{r['calibration_error']:.2f} %")
        for tta, r in results.items()
    ]
    header = ("test-time augmentation", "top-1", "top-5", "loss (nats)", "calibration error")
    return f"On the test set, weights of the last epoch:\n\n{markdown_table(header, rows, slice(1, 5))}"


def _shifted(consistency: float) -> str:
    return (
        f"Shift consistency: {consistency:.2f} %. That is how often a test image keeps its predicted class when it "
        "moves by one pixel."
    )


def _fused_forms(model: Any) -> dict[str, bool]:
    """Forms for inference, and whether the gates are hard in them."""
    gated = any(isinstance(module, EntropyGate) for module in model.modules())
    return {"fused": False} | ({"fused, hard gates": True} if gated else {})


def _forms(logits: dict[str, Any], labels: Any) -> str:
    rows = []
    for form, values in logits.items():
        r = metrics(values, labels)
        change = (values - logits["as trained"]).abs().max().item()
        rows.append((form, f"{r['top1']:.2f} %", f"{r['loss']:.4f}", f"{change:.1g}"))
    header = ("form", "top-1", "loss (nats)", "largest change of a logit")
    text = "For inference (`tinynets.fuse`), without test-time augmentation:"
    return f"{text}\n\n{markdown_table(header, rows, slice(1, 4))}"


def _classes(per_class: list[float], confusion: Any, names: tuple[str, ...]) -> str:
    order = sorted(range(len(names)), key=lambda i: per_class[i])
    wrong = confusion.clone().fill_diagonal_(0)
    pairs = [divmod(int(i), len(names)) for i in wrong.flatten().topk(5).indices]
    rows = [(names[a], names[b], f"{int(wrong[a, b])} of {int(confusion[a].sum()):,}") for a, b in pairs]

    def listed(which: list[int]) -> str:
        return ", ".join(f"{names[i]} {per_class[i]:.1f} %" for i in which)

    return (
        f"Hardest classes: {listed(order[:3])}; easiest: {listed(order[:-4:-1])}. The most frequent confusions:\n\n"
        + markdown_table(("label", "predicted as", "images"), rows, slice(2, 3))
    )


def _ablation(path: Path) -> list[str]:
    """What benchmarks/ablation.py has measured, in the mean of the seeds; nothing where it has not run."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        measured = list(csv.DictReader(file))
    rows = []
    for variant in dict.fromkeys(row["variant"] for row in measured):
        seeds = [row for row in measured if row["variant"] == variant]
        top1, loss, shift = (
            sum(float(row[key]) for row in seeds) / len(seeds) for key in ("val_top1", "val_loss", "shift_consistency")
        )
        first = seeds[0]
        size = f"{int(first['params']):,}", f"{int(first['macs']) / 1e6:.1f} M"
        rows.append((variant, first["change"], *size, len(seeds), f"{top1:.2f} %", f"{loss:.3f}", f"{shift:.2f} %"))
    budget = "; ".join(dict.fromkeys(_budget(row) for row in measured))
    header = ("variant", "change", "params", "multiply-adds", "seeds", "top-1", "loss (nats)", "shift consistency")
    text = f"What each mechanism is worth in short runs ({budget}; `benchmarks/ablation.py`), on validation images:"
    return [f"{text}\n\n{markdown_table(header, rows, slice(2, 8))}"]


def _budget(row: dict[str, str]) -> str:
    return ", ".join(filter(None, (row["shape"], f"{row['epochs']} epochs", f"{row['pixels']} pixels")))


def _training(weights: Weights) -> str:
    metadata = weights.metadata
    versions = ", ".join(f"{name} {version}" for name, version in metadata["versions"].items())
    seeds = metadata["seeds"]
    threads = "one thread" if metadata["threads"] == 1 else f"{metadata['threads']} threads"
    stopped = f", and stopped after {metadata['stopped_after']}" if "stopped_after" in metadata else ""
    lines = [
        f"Trained in {metadata['train_seconds'] / 60:.0f} minutes on {metadata['device']} with {threads} ({versions}), "
        f"seed {metadata['seed']}{stopped}. The same again:",
        f"```bash\n{metadata['command']}\n```",
    ]
    if "temperature" in metadata:
        lines.append(
            f"Then the classifier was divided by the temperature {metadata['temperature']:.3f}, fitted on every second "
            "test image (`tools/fold_temperature.py`), which calibrates the probabilities and changes no prediction; "
            "the loss and calibration error above include those images."
        )
    if len(seeds) > 1:
        each = ", ".join(f"{top1:.2f} % (seed {seed})" for seed, top1 in seeds.items())
        mean, deviation = statistics.mean(seeds.values()), statistics.stdev(seeds.values())
        lines.append(f"Over {len(seeds)} seeds: {each}; mean {mean:.2f} %, standard deviation {deviation:.2f} %.")
    rows = [(f"{r['epoch']:.0f}", f"{r['train_loss']:.10f}", f"{r['train_top1']:.4f} %") for r in metadata["log"][:3]]
    repeats = "A GPU repeats them up to rounding"
    if "NVIDIA" not in metadata["device"]:
        repeats = "The same machine type, versions and thread count repeat them to the digit"
    table = markdown_table(("epoch", "training loss", "training top-1"), rows, slice(1, 3))
    lines.append(f"Its first epochs. {repeats}:\n\n{table}")
    return "\n\n".join(lines)


def _pictures(name: str) -> str:
    return "\n\n".join(f"![{what}]({name}/{what}.png)" for what in ("curves", "confusion", "calibration"))


if __name__ == "__main__":
    main()
