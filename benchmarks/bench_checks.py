"""What the checks of arguments cost: every model at batch 1 with them and with all of them taken away, paired.

    python benchmarks/bench_checks.py --threads 1

Eager inference in fp32 and channels_last. The share is the median over rounds. Nothing else should be running.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from statistics import median
from unittest import mock

import torch
from _measure import paired, ratio

import tinynets


def nothing(*args: object, **kwargs: object) -> None:
    pass


@contextmanager
def unchecked() -> Iterator[None]:
    """Every function of the package that is called check_... does nothing."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("tinynets"):
                for checked in [attribute for attribute in vars(module) if attribute.startswith("check_")]:
                    stack.enter_context(mock.patch.object(module, checked, nothing))
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=301)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in tinynets.list_models():
        model = tinynets.create_model(name).eval().to(memory_format=torch.channels_last)
        x = torch.randn(1, *model.pretrained_cfg["input_size"]).to(memory_format=torch.channels_last)

        def run(model: torch.nn.Module = model, x: torch.Tensor = x) -> None:
            model(x)

        times: dict[str, list[float]] = {"checked": [], "unchecked": []}
        with torch.inference_mode():
            for _ in range(args.rounds):
                for form, context in (("unchecked", unchecked()), ("checked", nullcontext())):
                    with context:
                        times[form] += paired({form: run}, 1, torch.device("cpu"))[form]
        overhead = ratio(times["checked"], times["unchecked"]) - 1
        print(f"{name:22} {median(times['checked']):7.3f} ms, of which checks {100 * overhead:.1f} %", flush=True)


if __name__ == "__main__":
    main()
