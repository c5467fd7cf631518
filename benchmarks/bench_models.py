"""Our models, naive, fused and compiled, beside nets of other people.

    python benchmarks/bench_models.py --out benchmarks/results/bench_models.csv
    python benchmarks/bench_models.py --models egrr_cifar100 --rounds 21

A row is one model at one batch size. It has the milliseconds of an inference call of five forms: the model on naive
ops, the model as it is, `tinynets.fuse` of it, and torch.compile of the first and the last. Other people's nets have no
fused form; their `naive` is the model as timm makes it. A training step (forward and backward in train mode) is timed
too, naive and ours. Speedups are relative to the naive form, `compiled_speedup` to the naive form compiled.

The times are medians. The forms take turns in one process, and before each timed call there is an untimed one of the
same form. Each model has a process of its own: the memory that a naive form has to ask the system for depends on what
ran before, and its time too (EGRR's from 500 to 870 ms). All is in fp32 and channels_last. Nothing else should be
running.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import timm
import torch
import torch._inductor.config
from _measure import made_by, paired, ratio, synchronize, write_csv
from _naive import NAIVE, layers_run_on
from _resnet20 import resnet20
from torch import Tensor, nn

import tinynets
from tinynets.engine.loop.malloc import keep_freed_memory

PEERS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": resnet20,
    **{
        name: lambda name=name: timm.create_model(name, num_classes=10)
        for name in ("mobilenetv3_small_050", "tinynet_e", "test_efficientnet")
    },
}
FORMS = ("naive", "ours", "fused", "naive_compiled", "fused_compiled")


def build(name: str, device: torch.device) -> tuple[nn.Module, tuple[int, int, int]]:
    if name in PEERS:
        model, size = PEERS[name](), (3, 32, 32)
    else:
        model = tinynets.create_model(name)
        size = model.pretrained_cfg["input_size"]
    return model.to(device).eval().to(memory_format=torch.channels_last), size


def on_naive_ops(function: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with layers_run_on(NAIVE):
            return function()

    return call


def forms_of(name: str, model: nn.Module, x: Tensor, compiled: bool) -> dict[str, Callable[[], Any]]:
    forms = {"naive": on_naive_ops(lambda: model(x))}
    if name not in PEERS:
        fused = tinynets.fuse(model)
        forms |= {"ours": lambda: model(x), "fused": lambda: fused(x)}
    if compiled:
        torch.compiler.reset()
        quick = torch.compile(model, dynamic=False)
        forms["naive_compiled"] = on_naive_ops(lambda: quick(x))
        if name not in PEERS:
            quicker = torch.compile(fused, dynamic=False)
            forms["fused_compiled"] = lambda: quicker(x)
    return forms


def first_call(function: Callable[[], Any], device: torch.device) -> float:
    """Seconds, compilation included."""
    started = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - started


def inference(name: str, batch: int, rounds: int, compiled: bool, device: torch.device) -> dict[str, Any]:
    model, size = build(name, device)
    x = torch.randn(batch, *size, device=device).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        forms = forms_of(name, model, x, compiled)
        seconds = {form: first_call(function, device) for form, function in forms.items()}
        expected = forms["naive"]()
        error = max(float((function() - expected).abs().max() / expected.abs().max()) for function in forms.values())
        times = paired(forms, rounds, device)
    row: dict[str, Any] = {"parameters": sum(p.numel() for p in model.parameters()), "batch": batch}
    row |= {f"{form}_ms": round(median(times[form]), 3) if form in times else "" for form in FORMS}
    for form in ("ours", "fused", "fused_compiled"):
        row[f"{form}_speedup"] = round(ratio(times["naive"], times[form]), 2) if form in times else ""
    both = {"naive_compiled", "fused_compiled"} <= times.keys()
    row["compiled_speedup"] = round(ratio(times["naive_compiled"], times["fused_compiled"]), 2) if both else ""
    best = min(median(values) for values in times.values())
    row |= {"best_images_per_second": round(1e3 * batch / best), "relative_error": f"{error:.1e}"}
    for form in FORMS[3:]:
        row[f"{form}_first_call_s"] = round(seconds[form], 1) if form in seconds else ""
    return row


def training(name: str, batch: int, rounds: int, device: torch.device) -> dict[str, Any]:
    model, size = build(name, device)
    model.train()
    x = torch.randn(batch, *size, device=device).to(memory_format=torch.channels_last)

    def step() -> None:
        model.zero_grad()
        model(x).square().mean().backward()

    forms = {"naive": on_naive_ops(step)} | ({} if name in PEERS else {"ours": step})
    times = paired(forms, rounds, device)
    row = {f"{form}_step_ms": round(median(times[form]), 1) if form in times else "" for form in ("naive", "ours")}
    return row | {"step_speedup": round(ratio(times["naive"], times["ours"]), 2) if "ours" in times else ""}


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    batches = sorted({row["batch"] for row in rows})
    names = list(dict.fromkeys(row["model"] for row in rows))
    figure = Figure(figsize=(12, 1 + 0.55 * len(names)), layout="constrained")
    for axes, batch in zip(figure.subplots(1, len(batches), sharey=True, squeeze=False)[0], batches, strict=True):
        shown = {row["model"]: row for row in rows if row["batch"] == batch}
        for index, form in enumerate(FORMS):
            values = [shown[name][f"{form}_ms"] / batch if shown[name][f"{form}_ms"] else 0 for name in names]
            positions = [row_index + 0.16 * (index - 2) for row_index in range(len(names))]
            axes.barh(positions, values, 0.16, label=form.replace("_", ", "))
        axes.set_xscale("log")
        axes.set_xlabel(f"milliseconds an image, batch {batch} (shorter is better)")
        axes.set_yticks(range(len(names)), [f"{name}\n{shown[name]['parameters']:,}" for name in names], fontsize=8)
        axes.grid(axis="x", which="both", alpha=0.25)
    axes.invert_yaxis()
    axes.legend(fontsize=8)
    figure.suptitle(f"{rows[0]['device']}, {rows[0]['threads']} threads, torch {rows[0]['torch']}", fontsize=9)
    figure.savefig(path, dpi=120)


def measure(name: str, args: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    batches = args.batch or ([1, 512] if device.type == "cuda" else [1, 8, 128])
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = []
    for batch in batches:
        rounds = args.rounds * max(128 // batch // 8, 1)
        row = {"model": name} | inference(name, batch, rounds, not args.no_compile, device)
        steps = {"naive_step_ms": "", "ours_step_ms": "", "step_speedup": ""}
        if not args.no_training:
            steps = training(name, batch, max(rounds // 3, 1), device)
        rows.append(row | steps | {"memory": "kept" if args.keep_memory else "default"} | made_by(device))
        print(" ".join(f"{key}={value}" for key, value in rows[-1].items() if value != ""), flush=True)
    return rows


def in_own_process(name: str) -> list[dict[str, Any]]:
    """This program for one of the models it was called with; later arguments win."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        subprocess.run([sys.executable, *sys.argv, "--models", name, "--out", str(path)], check=True)
        with open(path, newline="") as file:
            return [{key: _number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _number(text: str) -> Any:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", default=[*tinynets.list_models(), *PEERS])
    parser.add_argument("--batch", type=int, nargs="+", help="default: 1, 8 and 128, on a GPU 1 and 512")
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument("--rounds", type=int, default=15, help="at batch 128; more at smaller ones")
    parser.add_argument("--keep-memory", action="store_true", help="the C library keeps freed memory, as in the engine")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--out", type=Path, help="a CSV to write, and a plot beside it")
    args = parser.parse_args()
    device = torch.device(args.device)
    torch._inductor.config.force_disable_caches = True  # so that the first call includes compilation
    if args.keep_memory:
        keep_freed_memory()
    if len(args.models) > 1:
        rows = [row for name in args.models for row in in_own_process(name)]
    else:
        rows = measure(args.models[0], args, device)
    if args.out is not None:
        write_csv(args.out, rows)
        plot(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
