import os
from pathlib import Path


def write_file(path: str | Path, content: bytes | str, backup: Path | None = None) -> None:
    """Write a file completely under its name, or leave what was there before: temporary name, sync, rename.

    backup: where what was there before goes once the new content is on the disk.

    Raises:
        OSError: it could not be written, in one line that says so.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if backup is not None and path.exists():
            os.replace(path, backup)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        kept = "; what it held before is intact" if path.exists() else ""
        raise OSError(error.errno, f"could not write {path} ({os.strerror(error.errno or 0)}){kept}") from error
