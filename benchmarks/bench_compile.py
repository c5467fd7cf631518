"""What the first call of a compiled net costs: our nets as they are and fused, against plain formulas.

    python benchmarks/bench_compile.py --csv benchmarks/results/bench_compile.csv

A row is one call of `torch.compile(net, fullgraph=True)` in a process of its own, without caches, on one thread:
seconds of processor time, the compiler's child processes included. "naive" is the net with the formulas of
`_naive.py` in place of `tinynets.ops`; "step" is a forward and backward pass in training mode.
"""

import argparse
import os
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from _measure import made_by, write_csv
from _naive import NAIVE, layers_run_on

import tinynets

KINDS = ("naive inference", "plain inference", "fused inference", "naive step", "plain step")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
}


def seconds_of_first_call(name: str, kind: str, batch_size: int) -> float:
    form, what = kind.split()
    model = tinynets.create_model(name).train(what == "step").to(memory_format=torch.channels_last)
    if form == "fused":
        model = tinynets.fuse(model.eval())
    x = torch.randn(batch_size, *model.pretrained_cfg["input_size"]).to(memory_format=torch.channels_last)  # pyright: ignore
    compiled = torch.compile(model, fullgraph=True)
    before = _processor_seconds()
    with layers_run_on(NAIVE) if form == "naive" else nullcontext():
        if what == "step":
            compiled(x).sum().backward()
        else:
            with torch.no_grad():
                compiled(x)
    return _processor_seconds() - before


def _processor_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=tinynets.list_models(pretrained=True))
    parser.add_argument("--kinds", nargs="+", default=KINDS, help="such as 'plain step'")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # the process that measures
    args = parser.parse_args()
    if args.one:
        print(seconds_of_first_call(args.models[0], args.kinds[0], args.batch_size))
        return
    rows = []
    for name in args.models:
        for kind in args.kinds:
            argv = ["--one", "--models", name, "--kinds", kind, "--batch-size", str(args.batch_size)]
            process = subprocess.run(
                [sys.executable, __file__, *argv], env=os.environ | ENVIRONMENT, capture_output=True, text=True
            )
            if process.returncode:
                sys.exit(f"{name}, {kind}: {process.stderr}")
            rows.append({"model": name, "kind": kind, "seconds": round(float(process.stdout), 1)})
            print(f"{name:24} {kind:16} {rows[-1]['seconds']:8.1f} s", flush=True)
    if args.csv:
        torch.set_num_threads(1)  # as in the processes that measured
        write_csv(args.csv, [row | made_by(torch.device("cpu")) for row in rows])


if __name__ == "__main__":
    main()
