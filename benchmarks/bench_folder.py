"""What reading a folder of large photos costs: seconds, images/s and peak memory (Linux).

    python benchmarks/bench_folder.py                                # 2,000 photos of 4000x3000 for a 32x32 model
    python benchmarks/bench_folder.py --images 200 --size 224        # fewer, for a larger one

A few distinct JPEGs are made in a temporary folder and linked until there are enough; the folder is deleted afterwards.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tinynets.engine import load_data
from tinynets.engine.data.memory import size_text
from tinynets.engine.data.parallel import core_count

DISTINCT = 8


def photo(seed: int, width: int, height: int) -> Image.Image:
    """Smooth shapes and fine noise, which compress about as a photo does."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    pixels = pixels + generator.integers(-10, 11, (height, width, 1), dtype=np.int16)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def make_folder(root: Path, images: int, width: int, height: int) -> None:
    for seed in range(DISTINCT):
        photo(seed, width, height).save(root / f"{seed}.jpg", quality=90)
    for index in range(images):
        folder = root / ("train" if index % 10 else "test") / f"class_{index // 10 % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        os.link(root / f"{index % DISTINCT}.jpg", folder / f"{index:05}.jpg")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--size", type=int, default=32, help="side of the model's input")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_folder(root, args.images, args.width, args.height)
        before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        started = time.perf_counter()
        data = load_data(root, default_size=(args.size, args.size), cache=False)
        seconds = time.perf_counter() - started
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        used = 1024 * int(status["VmHWM"].split()[0]) - before
        megabytes = sum((root / f"{seed}.jpg").stat().st_size for seed in range(DISTINCT)) / DISTINCT / 1e6
    pixels = data.train_images.numel() + data.test_images.numel()
    print(
        f"{args.images:,} photos of {args.width}x{args.height} ({megabytes:.1f} MB each) as {args.size}x{args.size}: "
        f"{seconds:.0f} s, {args.images / seconds:.1f} images/s on {core_count()} cores"
    )
    print(
        f"memory taken by reading: {size_text(used)}, of which images {size_text(pixels)}; "
        f"at full size {size_text(3 * args.images * args.width * args.height)}"
    )


if __name__ == "__main__":
    main()
