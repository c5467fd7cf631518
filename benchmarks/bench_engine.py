"""What the engine costs: its training step against a bare loop and against a torchvision DataLoader loop, paired.

    python benchmarks/bench_engine.py               # images/s of the three loops, rounds interleaved in one process
    python benchmarks/bench_engine.py --defaults    # layout, precision, threads and allocator, against what we chose

C1C2C3C4O, batch 128, crop + flip + Cutout + mixup, synthetic CIFAR-sized images. The bare loop is forward, backward and
step on one batch that lies in memory, normalized. Ratios are medians over rounds; nothing else should be running.
"""

import argparse
import csv
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch.nn.functional import cross_entropy
from torchvision.transforms import v2

import tinynets
from tinynets._statistics import CIFAR10
from tinynets.engine import Augment, ImageData, Mixing, Optimizer, Recipe, Schedule, override
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.malloc import keep_freed_memory

BATCH = 128
RECIPE = Recipe(
    batch_size=BATCH,
    optimizer=Optimizer("sgd", lr=0.1),
    schedule=Schedule(epochs=1000, warmup_epochs=1),
    augment=Augment(pad=4, flip=True, cutout=16),
    mixing=Mixing(mixup=1.0),
    val_size=0.0,
)


def synthetic(steps: int) -> ImageData:
    count = steps * BATCH
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(count) % 10
    names = tuple(map(str, range(10)))
    return ImageData("synthetic", images, labels, images[:10], labels[:10], names, *CIFAR10)


def engine_loop(data: ImageData, recipe: Recipe = RECIPE) -> Callable[[], None]:
    model, _ = model_for_data("c1c2c3c4o_cifar10", data, recipe, None)
    run = Run(model, data, recipe, DistributedContext(0, 1, torch.device("cpu")))
    return lambda: run.train_epoch(lambda: None)


def _model_and_optimizer() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = tinynets.create_model("c1c2c3c4o_cifar10").to(memory_format=torch.channels_last).train()
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


def bare_loop(steps: int) -> Callable[[], None]:
    model, optimizer = _model_and_optimizer()
    x = torch.randn(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10

    def epoch() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            cross_entropy(model(x), labels).backward()
            optimizer.step()

    return epoch


class Pictures(torch.utils.data.Dataset):
    """CIFAR-10 as torchvision keeps it: an array of pixels, an image and its transforms at a time."""

    def __init__(self, data: ImageData) -> None:
        self.images = data.train_images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = data.train_labels.tolist()
        self.transform = v2.Compose(
            [
                v2.ToPILImage(),
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(*CIFAR10),
                v2.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.transform(self.images[index]), self.labels[index]


def dataloader_loop(data: ImageData) -> Callable[[], None]:
    model, optimizer = _model_and_optimizer()
    mixup = v2.MixUp(num_classes=10)
    loader = torch.utils.data.DataLoader(
        Pictures(data), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True
    )

    def epoch() -> None:
        for batch in loader:
            x, targets = mixup(*batch)
            optimizer.zero_grad()
            cross_entropy(model(x.contiguous(memory_format=torch.channels_last)), targets).backward()
            optimizer.step()

    return epoch


def compare(loops: dict[str, Callable[[], None]], images: int, rounds: int) -> dict[str, list[float]]:
    """Images per second of every loop, round by round."""
    for loop in loops.values():
        loop()
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            started = time.perf_counter()
            loop()
            speeds[name].append(images / (time.perf_counter() - started))
    return speeds


def report(speeds: dict[str, list[float]], baseline: str) -> list[dict[str, Any]]:
    """A line for every loop: medians, and the ratio to the baseline of the same round."""
    rows = []
    for name, values in speeds.items():
        ratios = [value / base for value, base in zip(values, speeds[baseline], strict=True)]
        speed, ratio = statistics.median(values), statistics.median(ratios)
        print(f"{name:16} {speed:8.0f} images/s  {ratio:.3f} x {baseline} ({min(ratios):.3f} to {max(ratios):.3f})")
        row = {"loop": name, "images_per_second": round(speed, 1), "baseline": baseline, "ratio": round(ratio, 3)}
        row |= {"lowest": round(min(ratios), 3), "highest": round(max(ratios), 3), "rounds": len(values)}
        row |= {"threads": torch.get_num_threads(), "device": platform.machine()}
        rows.append(row | {"torch": torch.__version__, "torchvision": torchvision.__version__})
    return rows


def bench_defaults(steps: int, rounds: int) -> None:
    """One thing changed at a time. Only `ours` and what differs in its recipe can share a process."""
    data = synthetic(steps)
    changes = {"ours": {}, "bf16": {"precision": "bf16"}}
    loops = {name: engine_loop(data, override(RECIPE, change)) for name, change in changes.items()}
    whole = torch.get_num_threads()

    def one_thread() -> None:
        torch.set_num_threads(1)
        loops["ours"]()
        torch.set_num_threads(whole)

    report(compare({**loops, "one thread": one_thread}, steps * BATCH, rounds), "ours")


def bench_allocator(steps: int, rounds: int) -> None:
    """glibc's memory kept or returned: once decided, a process cannot go back, so pairs of processes."""
    code = (
        "import sys, time; sys.path.insert(0, {folder!r}); import bench_engine as b; {keep}; "
        "l = b.bare_loop({steps}); l(); t = time.perf_counter(); l(); print({images} / (time.perf_counter() - t))"
    )
    speeds: dict[str, list[float]] = {"ours": [], "glibc's default": []}
    for _ in range(rounds):
        for name, keep in (("ours", "b.keep_freed_memory()"), ("glibc's default", "pass")):
            program = code.format(folder=str(Path(__file__).parent), keep=keep, steps=steps, images=steps * BATCH)
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
            speeds[name].append(float(done.stdout))
    report(speeds, "ours")


def bench_loops(rounds: int) -> list[dict[str, Any]]:
    """Short rounds where speeds are close, so that the machine's moods hit both; long ones where workers start up."""
    short, long = 8, 40
    close = {"bare": bare_loop(short), "engine": engine_loop(synthetic(short))}
    rows = report(compare(close, short * BATCH, 4 * rounds), "bare")
    data = synthetic(long)
    far = {"DataLoader": dataloader_loop(data), "engine": engine_loop(data)}
    return rows + report(compare(far, long * BATCH, rounds), "DataLoader")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--defaults", action="store_true")
    parser.add_argument("--out", type=Path, help="a CSV to write")
    args = parser.parse_args()
    if args.defaults:
        bench_allocator(20, args.rounds)
        keep_freed_memory()
        bench_defaults(8, 2 * args.rounds)
        return
    keep_freed_memory()
    rows = bench_loops(args.rounds)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with open(args.out, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
