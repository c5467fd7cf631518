"""What goes wrong with an image file is one line that names it; what Pillow only warns of is nothing."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError


def printable(path: str | Path) -> str:
    """A path in one line that can be printed anywhere, control characters and broken bytes escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))


@contextmanager
def named(path: str | Path) -> Iterator[None]:
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
def quiet_pillow() -> Iterator[None]:
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
