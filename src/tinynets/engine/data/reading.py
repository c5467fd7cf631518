"""Image files to tensors: one file, or many by all cores."""

import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from tinynets._checks import unknown

from .decode import flatten, is_grey, rgb
from .memory import check_memory

_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_JPEG = ("JPEG", "MPO")
_T = TypeVar("_T")
_LARGE = 1 << 24  # pixels
_BATCH = 256  # files that are handed to the threads at a time


class Header(NamedTuple):
    """What an image file says before it is decoded: (H, W) as it is shown, whether it has no colour, the format."""

    size: tuple[int, int]
    grey: bool
    format: str | None

    def decoding_bytes(self, img_size: tuple[int, int]) -> int:
        """What a thread holds at most while it makes an image of img_size of it."""
        pixels = self.size[0] * self.size[1]
        if self.format not in _JPEG:
            return 24 * pixels
        scale = _draft_scale(self.size, img_size)
        fraction = next((s for s in (8, 4, 2) if scale * s <= 1), 1)
        return 6 * pixels + 24 * pixels // fraction**2  # a progressive file's coefficients are held at full size


def read_image(
    path: str | Path, mode: str, img_size: tuple[int, int] | None = None, background: str = "white"
) -> Tensor:
    """One image file as uint8 (C, H, W), as a viewer shows it: first frame, turned upright, transparency composited.

    Args:
        path: any format and mode that Pillow opens.
        mode: "L" for one channel, "RGB" for three.
        img_size: (H, W). The largest centred part of that shape is resized to it, bilinear and antialiased.
        background: colour behind transparent pixels, by name or as "#rrggbb".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a readable image, or an argument makes no sense. One line that names the file.
    """
    if mode not in ("L", "RGB"):
        raise unknown("mode", mode, ("L", "RGB"))
    rgb(background)
    check_size(img_size)
    with _quiet_pillow(), _named(path), Image.open(path) as opened:
        return torch.from_numpy(_pixels(opened, mode, img_size, background))


def read_header(path: str | Path) -> Header:
    """Size and kind of an image file, without decoding it. Errors are those of `read_image`."""
    with _quiet_pillow(), _named(path), Image.open(path) as image:
        height, width = image.height, image.width
        if image.format == "TIFF":  # Pillow says the upright size, or not, by its version
            tags: Any = image
            width, height = tags.tag_v2[256], tags.tag_v2[257]
        # to look for EXIF behind its pixels, Pillow would decode a PNG
        known = image.format != "PNG" or "exif" in image.info
        if known and _orientation(image) > 4:
            height, width = width, height
        return Header((height, width), is_grey(image), image.format)


def read_images(
    paths: Sequence[str | Path],
    mode: str,
    img_size: tuple[int, int],
    background: str = "white",
    progress: bool = True,
) -> tuple[Tensor, dict[int, str]]:
    """Many image files as uint8 (N, C, H, W), and why some could not be read, by their place in paths.

    Files are decoded by as many threads as there are cores, and resized at once. Those that cannot be read leave no
    row behind.

    progress: show a bar on stderr, where it is a terminal, once a second has passed.
    """
    images = torch.empty(len(paths), len(mode), *img_size, dtype=torch.uint8, device="cpu")

    def read(index: int) -> None:
        images[index] = read_image(paths[index], mode, img_size, background)

    bad = for_each(read, range(len(paths)), "reading" if progress else None)[1]
    good = (index for index in range(len(paths)) if index not in bad)
    if bad:
        for row, index in enumerate(good):
            images[row] = images[index]
    return images[: len(paths) - len(bad)], bad


def for_each(
    do: Callable[[int], _T], indices: Sequence[int], title: str | None
) -> tuple[dict[int, _T], dict[int, str]]:
    """do(index) for all indices on all cores: the results, and the messages of ValueError and OSError, by index."""
    done: dict[int, _T] = {}
    failed: dict[int, str] = {}

    def attempt(index: int) -> None:
        try:
            done[index] = do(index)
        except (ValueError, OSError) as error:
            failed[index] = str(error)

    hidden = title is None or sys.stderr is None or not sys.stderr.isatty()
    with (
        _quiet_pillow(),
        ThreadPoolExecutor(core_count()) as pool,
        tqdm(total=len(indices), desc=title, unit="image", delay=1, leave=False, disable=hidden) as bar,
    ):
        try:
            for start in range(0, len(indices), _BATCH):
                for _ in pool.map(attempt, indices[start : start + _BATCH]):
                    bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return dict(sorted(done.items())), dict(sorted(failed.items()))


def check_size(img_size: tuple[int, int] | None) -> None:
    """Raise ValueError unless it is None or (H, W), each at least 1."""
    if img_size is not None and (len(img_size) != 2 or not all(isinstance(s, int) and s >= 1 for s in img_size)):
        raise ValueError(f"img_size must be a height and a width of at least 1, got {img_size}")


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def printable(path: str | Path) -> str:
    """A path in one line that can be printed anywhere, control characters and broken bytes escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))


def _pixels(image: Image.Image, mode: str, img_size: tuple[int, int] | None, background: str) -> np.ndarray:
    """uint8 (C, H, W)."""
    if img_size is not None and image.format in _JPEG:
        height, width = img_size[::-1] if _orientation(image) > 4 else img_size
        scale = _draft_scale((image.height, image.width), (height, width))
        image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    if image.width * image.height > _LARGE:
        needed = Header((image.height, image.width), False, None).decoding_bytes((1, 1))
        check_memory(needed, "decoding it", "make it smaller")
    _mend_transparency(image)
    image.load()
    turn = _orientation(image)
    flat = flatten(image, background)
    if img_size is not None:
        height, width = img_size
        flat = _fit(flat, (height, width) if turn > 4 else (width, height))
    if turn in _TURNS:
        flat = flat.transpose(_TURNS[turn])
    pixels = np.array(flat.convert(mode))
    return pixels[None] if mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _draft_scale(size: tuple[int, int], img_size: tuple[int, int]) -> float:
    """How far a JPEG may be reduced as it is decoded: to twice the size that is wanted, which resizing then halves."""
    return 2 * max(img_size[0] / size[0], img_size[1] / size[1])


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The largest centred part with the proportions of size, (W, H), resized to it."""
    if image.size == size:
        return image
    scale = min(image.width / size[0], image.height / size[1])
    width, height = size[0] * scale, size[1] * scale
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, min(left + width, image.width), min(top + height, image.height))
    return image.resize(size, Image.Resampling.BILINEAR, box)


def _orientation(image: Image.Image) -> int:
    """EXIF's, 1 where there is none or it cannot be read."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever broken metadata raise: viewers show such images
        return 1
    return turn if turn in _TURNS else 1


def _mend_transparency(image: Image.Image) -> None:
    """A PNG's transparent value as Pillow scales the pixels: it keeps the one in the file."""
    key, tile = image.info.get("transparency"), getattr(image, "tile", None)
    raw = tile[0][3] if image.format == "PNG" and tile else None
    if isinstance(key, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw == "L;2" else 17)
    elif isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong inside becomes one line that names the file."""
    name = printable(path)
    try:
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no image at {name}")
        if not path.is_file():  # reading from a pipe would wait for ever
            raise ValueError(f"{name} is {'a folder' if path.is_dir() else 'no regular file'}, not an image")
        if path.stat().st_size == 0:
            raise ValueError(f"{name} is empty: it holds no image")
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(str(error) if name in str(error) else f"{name} cannot be read ({error})") from error
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    try:
        yield
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not a readable image (of no format that Pillow knows)") from error
    except PermissionError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them
        reason = printable(" ".join(str(error).split()) or type(error).__name__)
        raise ValueError(f"{name} is not a readable image ({reason})") from error


class _Quiet:
    lock, users = threading.Lock(), 0
    filters = warnings.catch_warnings()


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Inside, Pillow's warnings are dropped: an image is read or refused, there is nothing between.

    Python has one list of filters for all threads: the first to come in changes it, the last to go puts it back.
    """
    with _Quiet.lock:
        _Quiet.users += 1
        if _Quiet.users == 1:
            _Quiet.filters = warnings.catch_warnings()
            _Quiet.filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.users -= 1
            if _Quiet.users == 0:
                _Quiet.filters.__exit__(None, None, None)
