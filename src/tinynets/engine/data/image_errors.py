"""One-line errors of image files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import UnidentifiedImageError

from tinynets._text import printable


@contextmanager
def error_context(path: str | Path) -> Iterator[None]:
    """Convert every error raised inside to a one-line error with the file name."""
    name = printable(path)
    try:
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"no image at {name}")
        if not path.is_file():  # reading from a pipe would block forever
            raise ValueError(f"{name} is {'a folder' if path.is_dir() else 'not a regular file'}, not an image")
        if path.stat().st_size == 0:
            raise ValueError(f"{name} is an empty file, not an image")
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(str(error) if name in str(error) else f"{name} cannot be read ({error})") from error
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    try:
        yield
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is not a readable image (format unknown to Pillow)") from error
    except PermissionError as error:
        raise ValueError(f"{name} cannot be read ({error.strerror})") from error
    except Exception as error:  # Pillow's decoders raise many exception types for damaged files
        reason = printable(" ".join(str(error).split()) or type(error).__name__)
        raise ValueError(f"{name} is not a readable image ({reason})") from error
