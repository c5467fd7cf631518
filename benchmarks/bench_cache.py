"""What a start with many photos costs: seconds, and the memory of one and of several processes (Linux).

    python benchmarks/bench_cache.py                          # 50,000 photos of 500x375 for a 64x64 model
    python benchmarks/bench_cache.py --images 2000            # fewer
    python benchmarks/bench_cache.py --folder photos --keep   # in a folder that stays

The first start decodes, the second finds the decoded photos. In memory (--no-cache) every start decodes. Then as many
processes as --processes load the photos, read all pixels and stay, and the memory of each is read from the system:
"own" is what no other process shares and no file backs, "proportional" (PSS) divides shared pages by their users.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

DISTINCT = 50
LOAD = """
import sys, time, json
from tinynets.engine import load_data
folder, size, cache = sys.argv[1], int(sys.argv[2]), sys.argv[3]
started = time.perf_counter()
data = load_data(folder, img_size=(size, size), in_chans=3, cache=cache or False)
seconds = time.perf_counter() - started
total = sum(int(data.split(part)[0].sum(dtype=int)) for part in ("train", "val", "test"))
data.digest()
print(json.dumps([seconds, total]), flush=True)
sys.stdin.read()
""".replace("dtype=int", "dtype=__import__('torch').int64")


def make_folder(root: Path, images: int, classes: int = 10) -> None:
    """Photos of smooth shapes and fine noise. A few are drawn; each file is one of them with a comment of its own."""
    drawn = []
    for seed in range(DISTINCT):
        generator = np.random.default_rng(seed)
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), np.int16)
        pixels = pixels + generator.integers(-10, 11, (375, 500, 1), dtype=np.int16)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root.parent / "one.jpg", quality=85)
        drawn.append((root.parent / "one.jpg").read_bytes())
    for index in range(images):
        folder = root / f"class_{index % classes}"
        folder.mkdir(parents=True, exist_ok=True)
        comment = f"{index:08}".encode()
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        jpeg = drawn[index % DISTINCT]
        (folder / f"{index:06}.jpg").write_bytes(jpeg[:2] + marker + jpeg[2:])


def start(folder: Path, size: int, cache: str) -> tuple[subprocess.Popen, float]:
    """A process that has loaded the photos, and the seconds that this took."""
    command = [sys.executable, "-c", LOAD, str(folder), str(size), cache]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())[0]


def memory(process: subprocess.Popen) -> tuple[float, float]:
    """Megabytes: own and proportional."""
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in text}
    return kilobytes["Anonymous"] / 1e3, kilobytes["Pss"] / 1e3


def stop(process: subprocess.Popen) -> None:
    process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="where the photos and the cache go (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="leave the photos there for the next time")
    parser.add_argument("--no-memory-run", action="store_true", help="leave out --no-cache, which decodes again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder if not args.keep else None) as name:
        base = args.folder if args.keep and args.folder else Path(name)
        root, cache = base / "photos", base / f"cache-{time.time_ns()}"
        if not root.exists():
            root.mkdir(parents=True)
            make_folder(root, args.images)
        size = 3 * args.images * args.size**2 / 1e6
        print(f"{args.images:,} photos of 500x375 as {args.size}x{args.size}: {size:,.0f} MB")
        for title in ("first start", "second start"):
            process, seconds = start(root, args.size, str(cache))
            own, proportional = memory(process)
            print(f"{title}: {seconds:.1f} s, own {own:,.0f} MB, proportional {proportional:,.0f} MB", flush=True)
            stop(process)
        started = [start(root, args.size, str(cache))[0] for _ in range(args.processes)]
        sizes = [memory(process) for process in started]
        own, proportional = (sum(values) for values in zip(*sizes, strict=True))
        print(f"{args.processes} processes: own {own:,.0f} MB, proportional {proportional:,.0f} MB in all", flush=True)
        for process in started:
            stop(process)
        if not args.no_memory_run:
            process, seconds = start(root, args.size, "")
            own, proportional = memory(process)
            print(f"in memory: {seconds:.1f} s, own {own:,.0f} MB, proportional {proportional:,.0f} MB", flush=True)
            stop(process)
        for path in cache.rglob("*") if args.keep else ():
            if path.is_file():
                os.unlink(path)


if __name__ == "__main__":
    main()
