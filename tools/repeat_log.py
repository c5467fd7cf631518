"""Train the first epochs of shipped weights again and compare them with the log they ship with.

    python tools/repeat_log.py c1c2c3c4o_cifar10 --epochs 2 --data-dir ~/data

On the same kind of machine, with the same versions and number of threads, every printed digit repeats. Where one does
not, the script says so and exits with 1. It runs on a GPU if the weights were trained on one and this machine has the
same kind, else on the CPU. A GPU repeats only up to rounding. The logits of the CIFAR-10 teacher and the weights that a
run continues are read from the repository's folder training; other teachers must lie where the manifest's recipe says.
"""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tinynets.engine import load_data
from tinynets.engine.loop.build import find_start, model_for_data
from tinynets.engine.loop.distributed import distributed_context
from tinynets.engine.loop.malloc import keep_freed_memory
from tinynets.engine.loop.run import Run
from tinynets.engine.recipes import recipe_from_dict
from tinynets.weights import read_manifest

ROOT = Path(__file__).parents[1]
SHOWN = ("lr", "train_loss", "train_top1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NAME", choices=sorted(read_manifest()))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--data-dir", help="folder that holds the data set (default: data)")
    args = parser.parse_args()

    metadata = read_manifest()[args.name].metadata
    recipe = recipe_from_dict(metadata["recipe"])
    data = load_data(metadata["data"], args.data_dir)
    digest = data.digest()
    start = find_start(ROOT / metadata["started_from"]) if "started_from" in metadata else None
    data = start.adapt_data(data) if start else data
    torch.set_num_threads(metadata["threads"])
    same_gpu = torch.cuda.is_available() and metadata["device"].startswith(torch.cuda.get_device_name())
    keep_freed_memory()
    same = True
    with TemporaryDirectory() as folder, distributed_context("cuda" if same_gpu else "cpu") as distributed:
        model = model_for_data(args.name, data, recipe, None)[0]
        if start:
            start.load(model, data)
        run = Run(model, data, recipe, distributed)
        logits = Path(folder) / "teacher_logits.safetensors"
        if (shared := ROOT / "training" / logits.name).exists():
            shutil.copy(shared, logits)  # a copy, since missing views are added to the file
        run.make_views(logits, digest)
        run.compute_logits(lambda: None)
        for shipped in metadata["log"][: args.epochs]:
            row = run.train_epoch(lambda: None)
            for key in SHOWN:
                same &= row[key] == shipped[key]
                print(f"epoch {shipped['epoch']:.0f}  {key}  {row[key]!r}  shipped {shipped[key]!r}", flush=True)
        run.release()
    raise SystemExit(None if same else "the log does not repeat")


if __name__ == "__main__":
    main()
