"""A training step of EGRR and ECNet, with what made it cheaper taken away again, paired in one process.

    python benchmarks/bench_steps.py --threads 1 --out benchmarks/results/bench_steps.csv
    python benchmarks/bench_steps.py --device cuda --batch-size 256 --out benchmarks/results/bench_steps_cuda.csv

A step is the engine's own: augmentation, forward, backward, Muon and EMA, synthetic images. On the CPU it is in fp32,
and the forms are:

- ours: the recipe of the model
- muon in bf16: Muon orthogonalizes in bf16, as timm's does, which processors without bf16 units emulate
- torch's dilated: torch's backward pass for dilated depthwise convolutions in place of ours (ECNet)
- depth 1: one step a stage, the beginning of a depth warm-up (EGRR)

On a GPU it is in bf16:

- ours: the recipe of the model, as a CUDA graph
- no graph: every kernel launched by Python
- no Triton: the plain formulas in place of our kernels, as a CUDA graph

Milliseconds and ratios to ours are medians over rounds. The peak is what one step holds beyond model and optimizer.
A CUDA graph's memory is reserved when it is captured, so peak_mb does not contain it. Nothing else should be running.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from _measure import made_by, paired, peak_megabytes, ratio, write_csv

from tinynets._statistics import CIFAR10
from tinynets.engine import ImageData, get_recipe, override
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.malloc import keep_freed_memory
from tinynets.engine.loop.step_graphs import WARM_UP
from tinynets.ops import use_triton
from tinynets.ops._depthwise_conv2d import _forward as torchs_dilated

CPU = torch.device("cpu")
CLASSES = {"egrr_cifar100": 100, "ecnet_cifar10": 10}


def run_of(name: str, batch: int, device: torch.device, changes: dict[str, Any], depth: int | None = None) -> Run:
    """A run of one step an epoch whose recipe has these fields changed."""
    labels = torch.arange(batch) % CLASSES[name]
    images = torch.randint(0, 256, (batch, 3, 32, 32), dtype=torch.uint8)
    data = ImageData("synthetic", images, labels, images, labels, tuple(map(str, range(CLASSES[name]))), *CIFAR10)
    fixed = {"batch_size": batch, "val_size": 0.0, "mixing.cutmix": 0.0, "recursion.depth_warmup_epochs": 0.0}
    recipe = override(get_recipe(name), fixed | changes)
    model, _ = model_for_data(name, data, recipe, None)
    if depth is not None:
        model.set_active_steps(depth)
    return Run(model, data, recipe, DistributedContext(0, 1, device))


def step(run: Run) -> Callable[[], Any]:
    return lambda: run.train_epoch(lambda: None)


def forms_on_cpu(name: str, batch: int) -> dict[str, Callable[[], Any]]:
    def step_of(changes: dict[str, Any], depth: int | None = None) -> Callable[[], Any]:
        return step(run_of(name, batch, CPU, {"optimizer.muon_precision": "fp32"} | changes, depth))

    forms = {
        "ours": step_of({}),
        "muon in bf16": step_of({"optimizer.muon_precision": "bf16"}),
    }
    if name == "egrr_cifar100":
        return forms | {"depth 1": step_of({}, depth=1)}
    plain = step_of({})

    def torchs() -> None:
        with mock.patch("tinynets.layers.dilated_depthwise.depthwise_conv2d", torchs_dilated):
            plain()

    return forms | {"torch's dilated": torchs}


def forms_on_cuda(name: str, batch: int, device: torch.device) -> dict[str, Callable[[], Any]]:
    ours, ungraphed, formulas = (run_of(name, batch, device, {"precision": "bf16"}) for _ in range(3))
    ungraphed.graphs = None
    plain = step(formulas)

    def without_triton() -> None:
        use_triton(False)
        plain()
        use_triton(True)

    forms = {"ours": step(ours), "no graph": step(ungraphed), "no Triton": without_triton}
    for form in forms.values():
        for _ in range(WARM_UP + 1):
            form()
    return forms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=CLASSES, default=list(CLASSES))
    parser.add_argument("--device", type=torch.device, default=CPU)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a CSV to write")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    rows = []
    for name in args.models:
        on_cpu = args.device.type == "cpu"
        forms = forms_on_cpu(name, args.batch_size) if on_cpu else forms_on_cuda(name, args.batch_size, args.device)
        times = paired(forms, args.rounds, args.device)
        for form, values in times.items():
            row = {"model": name, "form": form, "step_ms": round(median(values)), "ours_is_faster": 0.0, "peak_mb": 0}
            row["ours_is_faster"] = round(ratio(values, times["ours"]), 2)
            row["peak_mb"] = round(peak_megabytes(forms[form], args.device))
            rows.append(row | made_by(args.device))
            print(*row.values(), sep="  ", flush=True)
    if args.out is not None:
        write_csv(args.out, rows)


if __name__ == "__main__":
    main()
