"""Nets as C on emulated Cortex-M4 and M7: the same scores as on the PC, instructions an image, flash, RAM, estimates.

    tinynets export c1c2c3c4o_cifar10 --to c --out nets/c1 --data-dir ~/data
    python benchmarks/bench_firmware.py nets/* --images 100

Adds its rows to benchmarks/results/bench_firmware.csv, or replaces them. Images are synthetic, or the test images of
CIFAR-10 with --data-dir. Needs what tools/emulated_chip.py needs. Instructions are not cycles.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _measure import put_row

from tinynets.deploy import FORMATS
from tinynets.deploy.firmware.folder import read_metadata
from tinynets.deploy.images import synthetic_images
from tinynets.report import text_table

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
from emulated_chip import BOARDS, emulate

TABLE = Path(__file__).parent / "results/bench_firmware.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="what tinynets export --to c wrote")
    parser.add_argument("--boards", nargs="+", choices=BOARDS, default=list(BOARDS))
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--data-dir", help="folder of CIFAR-10, for nets of its size")
    args = parser.parse_args()
    for folder in args.folders:
        for board in args.boards:
            row = measure(folder, board, args.images, args.data_dir)
            put_row(TABLE, row, "model", "format", "board")
            print(text_table(tuple(row), [tuple(map(str, row.values()))]), flush=True)


def measure(folder: Path, board: str, count: int, data_dir: str | None) -> dict[str, Any]:
    net = read_metadata(folder)
    pixels = images(net.size, count, data_dir)
    run = emulate(folder, pixels, board)
    expected = FORMATS[net.format].load(folder)(pixels)
    got = np.float32(net.scale) * (run.scores.astype(np.float32) - np.float32(net.zero_point))
    return {
        "model": net.name,
        "format": net.format,
        "board": board,
        "images": len(pixels),
        "equal": int((got == expected).all(1).sum()),
        "largest_difference": f"{np.abs(got - expected).max():.2g}",
        "million_instructions": round(run.instructions / 1e6, 1),
        "flash": run.flash,
        "ram": run.ram,
        "said_flash": net.flash,
        "said_ram": net.ram,
    }


def images(size: tuple[int, int, int], count: int, data_dir: str | None) -> np.ndarray:
    pixels = synthetic_images(count, size)
    if data_dir and size == (3, 32, 32):
        from tinynets.engine import load_data

        pixels = load_data("cifar10", data_dir).test_images[:count]
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


if __name__ == "__main__":
    main()
