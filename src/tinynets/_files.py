import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_file(path: str | Path, content: bytes | str) -> None:
    """Write a file atomically: temporary file, fsync, rename.

    Symbolic links are followed. An existing file's mode and, where permitted, owner are preserved. Pipes, terminals and
    devices are written to directly.

    Args:
        path: the file.
        content: bytes or text.

    Raises:
        OSError: the file cannot be written (one-line message).
    """
    content = content.encode() if isinstance(content, str) else content
    partial = None
    try:
        if _is_stream(path):
            with open(path, "ab") as file:
                file.write(content)
            return
        target = Path(os.path.realpath(path))
        partial = target.with_name(f".{target.name}.partial")
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            _keep_owner(target, partial)
        os.replace(partial, target)
    except OSError as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        kept = "; its previous content is intact" if Path(path).is_file() else ""
        raise OSError(error.errno, f"could not write {path} ({os.strerror(error.errno or 0)}){kept}") from error


def check_writable(path: str | Path) -> None:
    """Raise OSError if `write_file` could not write to path; called before the work that produces the content."""
    if _is_stream(path):
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is not writable: choose another file")
        return
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: choose a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path.name}: there is no folder {path.parent}")
    if not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK):
        raise PermissionError(f"{path.parent} is not writable: choose another folder")


def check_new_folder(path: str | Path) -> None:
    """Raise OSError if `write_folder` could not write to path."""
    path = Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"the folder {path} is not empty: choose a new one, or empty it")
    if not path.is_dir():
        check_writable(path)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file: choose a folder")


def write_folder(path: str | Path, draft: Path) -> int:
    """Move the files of a folder to path, which is new or empty. On failure no partial output remains.

    Returns:
        The total size in bytes.

    Raises:
        OSError: path cannot be written (one-line message).
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(draft, partial)
        if path.is_dir():
            path.rmdir()
        os.replace(partial, path)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(error.errno, f"could not write {path} ({os.strerror(error.errno or 0)})") from error
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _is_stream(path: str | Path) -> bool:
    """Whether path is a pipe, a socket or a device, or an open file of this process (/dev/stdout, /dev/fd/3)."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    opened = os.path.abspath(path).startswith(("/dev/fd/", "/dev/std", "/proc/"))
    return opened or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _keep_owner(target: Path, partial: Path) -> None:
    shutil.copymode(target, partial)
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only root may change the owner
            os.chown(partial, target.stat().st_uid, target.stat().st_gid)


def to_json(value: Any, **options: Any) -> str:
    """Serialize to JSON, with NaN and infinity as null."""
    plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
    return json.dumps(plain, allow_nan=False, **options)
