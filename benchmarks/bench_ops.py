"""Our ops against their naive forms, eager and compiled, on every input that the models give them.

    python benchmarks/bench_ops.py --out benchmarks/results/bench_ops.csv

A row is one op on one shape, forward only or forward and backward. It has:

- the milliseconds of the four forms, naive and ours, eager and compiled
- the most memory that a call holds
- the share of the copy bandwidth that our better form would reach if each input, output and gradient moved once
- `calls`: how often a forward pass of the model makes this call. The sums at the end count them.

The times are medians. The forms take turns in one process, and before each timed call there is an untimed one of the
same form. With --keep-memory the C library keeps freed memory, as in the engine. That favours the naive forms, which
ask for more of it. All is in fp32, the models in channels_last. Nothing else should be running.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from _measure import copy_bandwidth, made_by, paired, peak_megabytes, ratio, write_csv
from _naive import NAIVE, layers_run_on
from torch import Tensor

import tinynets
from tinynets import ops
from tinynets.engine.loop.malloc import keep_freed_memory

FORMS = ("naive", "ours", "naive_compiled", "ours_compiled")


class Layout(NamedTuple):
    size: tuple[int, ...]
    channels_last: bool

    @classmethod
    def of(cls, x: Tensor) -> "Layout":
        channels_last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        return cls(tuple(x.shape), channels_last and not x.is_contiguous())


def calls_of(name: str, batch: int) -> Counter[tuple[str, tuple[Any, ...]]]:
    """(op, layouts of tensors and other arguments) of a forward pass, and how often."""
    calls: Counter[tuple[str, tuple[Any, ...]]] = Counter()

    def counted(op: str, *args: Any) -> Tensor:
        calls[op, tuple(Layout.of(a) if isinstance(a, Tensor) else _hashable(a) for a in args)] += 1
        return NAIVE[op](*args)

    model = tinynets.create_model(name).eval().to(memory_format=torch.channels_last)
    channels, height, width = model.pretrained_cfg["input_size"]
    with layers_run_on({op: partial(counted, op) for op in NAIVE}), torch.inference_mode():
        model(torch.empty(batch, channels, height, width).to(memory_format=torch.channels_last))
    return calls


def _hashable(argument: Any) -> Any:
    return tuple(argument) if isinstance(argument, list) else argument


def arguments(shapes: tuple[Any, ...], device: torch.device, dtype: torch.dtype) -> list[Any]:
    tensors: list[Any] = []
    for shape in shapes:
        if isinstance(shape, Layout):
            x = torch.randn(shape.size, device=device, dtype=dtype)
            tensors.append(x.contiguous(memory_format=torch.channels_last) if shape.channels_last else x)
        else:
            tensors.append(list(shape) if isinstance(shape, tuple) else shape)
    return tensors


def moved_bytes(args: list[Any], y: Tensor, backward: bool) -> int:
    """Inputs and output once; going back, the inputs and the output's gradient again, and their gradients."""
    inputs = sum(a.nbytes for a in args if isinstance(a, Tensor))
    return inputs + y.nbytes + (2 * inputs + y.nbytes if backward else 0)


def once(form: Callable[..., Tensor], args: list[Any], grad: Tensor, backward: bool) -> Callable[[], Any]:
    inputs = [a for a in args if isinstance(a, Tensor)]

    def forward() -> Tensor:
        with torch.no_grad():
            return form(*args)

    return (lambda: torch.autograd.grad(form(*args), inputs, grad)) if backward else forward


def measure(
    op: str, shapes: tuple[Any, ...], backward: bool, rounds: int, bandwidth: float, **dd: Any
) -> dict[str, Any]:
    device: torch.device = dd["device"]
    args = arguments(shapes, **dd)
    for a in args:
        if isinstance(a, Tensor) and backward:
            a.requires_grad_()
    torch.compiler.reset()
    ours: Callable[..., Tensor] = getattr(ops, op)
    forms = dict(zip(FORMS[:2], (NAIVE[op], ours), strict=True))
    forms |= dict(zip(FORMS[2:], (torch.compile(form, dynamic=False) for form in (NAIVE[op], ours)), strict=True))
    y = ours(*args).detach()
    torch.testing.assert_close(y, NAIVE[op](*args).detach(), rtol=1e-2, atol=1e-2)  # bf16 and the textbook variance
    grad = torch.randn_like(y)
    functions = {name: once(form, args, grad, backward) for name, form in forms.items()}
    times = paired(functions, rounds, device)
    row: dict[str, Any] = {
        "op": op,
        "shape": "x".join(map(str, args[0].shape)),
        "pass": "both" if backward else "forward",
    }
    row |= {f"{name}_ms": round(median(values), 4) for name, values in times.items()}
    row["speedup"] = round(ratio(times["naive"], times["ours"]), 2)
    row["speedup_compiled"] = round(ratio(times["naive_compiled"], times["ours_compiled"]), 2)
    row |= {f"{name}_mb": round(peak_megabytes(functions[name], device), 2) for name in FORMS[:2]}
    moved = moved_bytes(args, y, backward)
    fastest = min(median(times["ours"]), median(times["ours_compiled"]))
    row |= {"moved_mb": round(moved / 1e6, 2), "copy_share": round(moved / 1e6 / fastest / bandwidth, 3)}
    return row


def table(
    models: list[str], batches: list[int], rounds: int, device: torch.device, dtype: torch.dtype
) -> list[dict[str, Any]]:
    bandwidth = copy_bandwidth(device)
    print(f"copy bandwidth {bandwidth:.1f} GB/s")
    rows = []
    for batch in batches:
        for name in models:
            for (op, shapes), calls in calls_of(name, batch).items():
                for backward in (False, True):
                    often = rounds * max(128 // batch // 8, 1)
                    row = measure(op, shapes, backward, often, bandwidth, device=device, dtype=dtype)
                    head = {"model": name, "batch": batch, "calls": calls}
                    rows.append(head | row | {"copy_gb_s": round(bandwidth, 1)} | made_by(device))
                    print(" ".join(str(value) for value in (head | row).values()), flush=True)
    return rows


def summarize(rows: list[dict[str, Any]]) -> None:
    """Times of all calls of an op in a pass of its model."""
    for key in dict.fromkeys((row["model"], row["op"], row["batch"], row["pass"]) for row in rows):
        of = [row for row in rows if (row["model"], row["op"], row["batch"], row["pass"]) == key]
        total = {form: sum(row["calls"] * row[f"{form}_ms"] for row in of) for form in FORMS}
        calls = sum(row["calls"] for row in of)
        print(
            f"{key[0]} {key[1]} batch {key[2]} {key[3]}, {calls} calls: "
            f"eager {total['naive']:.1f} -> {total['ours']:.1f} ms, {total['naive'] / total['ours']:.2f} x; compiled "
            f"{total['naive_compiled']:.1f} -> {total['ours_compiled']:.1f} ms, "
            f"{total['naive_compiled'] / total['ours_compiled']:.2f} x"
        )


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """The four forms of every op and shape at the largest batch, forward and backward, relative to the naive one."""
    from matplotlib.figure import Figure

    largest = max(row["batch"] for row in rows)
    shown = [row for row in rows if row["batch"] == largest and row["pass"] == "both"]
    figure = Figure(figsize=(9, 0.9 + 0.62 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for index, form in enumerate(FORMS):
        positions = [row_index + 0.2 * (index - 1.5) for row_index in range(len(shown))]
        axes.barh(positions, [row[f"{form}_ms"] / row["naive_ms"] for row in shown], 0.2, label=form.replace("_", ", "))
    axes.set_yticks(range(len(shown)), [f"{row['op']}\n{row['shape']}" for row in shown], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("time of forward and backward, naive eager = 1 (shorter is better)")
    axes.legend(fontsize=8)
    axes.set_title(f"{shown[0]['device']}, {shown[0]['threads']} threads, torch {shown[0]['torch']}", fontsize=9)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--models", nargs="+", default=["egrr_cifar100", "ecnet_cifar10"])
    parser.add_argument("--batch", type=int, nargs="+", help="default: 1, 8 and 128, on a GPU 1 and 512")
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument("--rounds", type=int, default=15, help="at batch 128; more at smaller ones")
    parser.add_argument("--keep-memory", action="store_true", help="the C library keeps freed memory, as in the engine")
    parser.add_argument("--out", type=Path, help="a CSV to write, and a plot beside it")
    args = parser.parse_args()
    device = torch.device(args.device)
    if args.keep_memory:
        keep_freed_memory()
    if args.threads:
        torch.set_num_threads(args.threads)
    batches = args.batch or ([1, 512] if device.type == "cuda" else [1, 8, 128])
    rows = table(args.models, batches, args.rounds, device, getattr(torch, args.dtype))
    rows = [row | {"memory": "kept" if args.keep_memory else "default"} for row in rows]
    summarize(rows)
    if args.out is not None:
        write_csv(args.out, rows)
        plot(rows, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
