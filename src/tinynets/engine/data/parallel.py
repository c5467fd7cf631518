"""Multithreaded reading of image files."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from .color_mode import rgb
from .reading import check_size, read_image

_T = TypeVar("_T")
BLOCK = 256  # files per batch of the thread pool


def read_images(
    paths: Sequence[str | Path],
    mode: str,
    img_size: tuple[int, int],
    background: str = "white",
    progress: bool = True,
    config: Mapping[str, Any] | None = None,
) -> tuple[Tensor, dict[int, str]]:
    """Read image files with several threads, skipping unreadable ones.

    Args:
        paths: the files.
        mode: "L" for one channel, "RGB" for three.
        img_size: (H, W) of the result.
        background: color behind transparent pixels, by name or as "#rrggbb".
        progress: show a progress bar on stderr, if that is a terminal, after one second.
        config: as in `read_image`.

    Returns:
        The images of all readable files, uint8 (N, C, H, W), and the reason for each other one, by index in paths.

    Raises:
        ValueError: an argument is invalid.

    Examples:
        >>> from PIL import Image
        >>> from tinynets.engine import read_images
        >>> Image.new("RGB", (40, 30), "red").save("red.png")
        >>> images, failed = read_images(["red.png", "missing.png"], "RGB", (32, 32))
        >>> images.shape, failed
        (torch.Size([1, 3, 32, 32]), {1: 'no image at missing.png'})
    """
    rgb(background)
    check_size(img_size)
    blocks = [torch.empty(0, len(mode), *img_size, dtype=torch.uint8, device="cpu")]
    title = "reading" if progress else None
    bad = read_blocks(paths, mode, img_size, background, config, blocks.append, title)
    return torch.cat(blocks), bad


def read_blocks(
    paths: Sequence[str | Path],
    mode: str,
    img_size: tuple[int, int],
    background: str,
    config: Mapping[str, Any] | None,
    keep: Callable[[Tensor], Any],
    title: str | None = "reading",
) -> dict[int, str]:
    """Read files like `read_images`, but pass them to keep in blocks, uint8 (n, C, H, W), in order.

    title: title of the progress bar, None for no bar.

    Returns:
        The reason for each unreadable file, which is in no block, by index in paths.
    """
    block = torch.empty(min(BLOCK, len(paths)), len(mode), *img_size, dtype=torch.uint8, device="cpu")

    def read(index: int) -> None:
        block[index % BLOCK] = read_image(paths[index], mode, img_size, background, config)

    def hand_over(indices: Sequence[int], failed: Mapping[int, str]) -> None:
        keep(block[[index % BLOCK for index in indices if index not in failed]])

    return for_each(read, range(len(paths)), title, hand_over)[1]


def for_each(
    do: Callable[[int], _T],
    indices: Sequence[int],
    title: str | None,
    after_batch: Callable[[Sequence[int], Mapping[int, str]], None] = lambda indices, failed: None,
) -> tuple[dict[int, _T], dict[int, str]]:
    """Call do(index) for all indices with several threads; return results and messages of errors by index.

    The errors are ValueError and OSError; Pillow's warnings are suppressed. after_batch is called with every batch's
    indices and the messages so far.
    """
    results: dict[int, _T] = {}
    failed: dict[int, str] = {}

    def attempt(index: int) -> None:
        try:
            results[index] = do(index)
        except (ValueError, OSError) as error:
            failed[index] = str(error)

    with (
        warnings.catch_warnings(),  # of all threads
        ThreadPoolExecutor(core_count()) as pool,
        _bar(title, len(indices)) as bar,
    ):
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            for start in range(0, len(indices), BLOCK):
                batch = indices[start : start + BLOCK]
                for _ in pool.map(attempt, batch):
                    if bar is not None:
                        bar.update()
                after_batch(batch, failed)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return dict(sorted(results.items())), dict(sorted(failed.items()))


def _bar(title: str | None, total: int) -> Any:
    """Create a progress bar on stderr; None without a terminal, since tqdm creates a semaphore even if disabled."""
    if title is None or sys.stderr is None or not sys.stderr.isatty():
        return nullcontext()
    return tqdm(total=total, desc=title, unit="image", delay=1, leave=False)


def core_count() -> int:
    """Return the number of CPU cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
