import csv
import io
import json
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from tinynets._files import to_json, write_file

FILES = ("recipe.json", "metrics.csv", "summary.json", "best.safetensors", "last.safetensors", "state.pt")
SPLIT = "split.json"


class RunDir:
    """The directory of a training run.

    It contains recipe.json, metrics.csv (one row per epoch), best.safetensors, last.safetensors, summary.json,
    state.pt (for resuming) and, if the run split class folders, split.json with the files of every split.

    Args:
        path: the directory.

    Examples:
        >>> from tinynets.engine.record import RunDir
        >>> run = RunDir("runs/mine")
        >>> with run.claim(resume=False):
        ...     run.write_json("summary.json", {"epochs": 3})
        >>> run.read_json("summary.json")
        {'epochs': 3}
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def claim(self, resume: bool) -> Iterator[None]:
        """Create the directory and lock it against other processes.

        Args:
            resume: whether it may contain a run.

        Raises:
            FileExistsError: it contains a run, and resume is false or there is no state to resume from.
            OSError: it cannot be written.
            RuntimeError: another process is training in it.
        """
        if not resume:
            self.check_new()
        existing = self._existing()
        outputs = [name for name in existing if name != "recipe.json"]
        if outputs and "state.pt" not in existing:
            raise FileExistsError(
                f"{self.path} contains {', '.join(outputs)} of a run, but no state.pt to resume from: "
                "start from its weights in another directory (--init), or move these files away"
            )
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RuntimeError(f"another process is training in {self.path}: choose another directory") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno, f"cannot write to {self.path} ({reason}): choose another directory") from error
        try:
            yield
        finally:
            lock.release()

    def check_new(self) -> None:
        """Raise FileExistsError if the directory contains a run."""
        if existing := self._existing():
            raise FileExistsError(
                f"{self.path} already contains a run ({existing[0]}): resume it (--resume, resume=True) or choose "
                "another directory"
            )

    def _existing(self) -> list[str]:
        return [name for name in FILES if (self.path / name).exists()]

    def state(self) -> dict[str, Any] | None:
        """Read the last state; None if there is no state yet.

        Raises:
            ValueError: it cannot be read.
        """
        path = self.path / "state.pt"
        return _load_state(path) if path.exists() else None

    def save_state(self, state: dict[str, Any]) -> None:
        """Write state.pt."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_file(self.path / "state.pt", buffer.getvalue())

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Write a dictionary as a JSON file."""
        write_file(self.path / name, to_json(value, indent=2) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a JSON file; None if it does not exist."""
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else None

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        """Write lines to a text file."""
        write_file(self.path / name, "".join(f"{line}\n" for line in lines))

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Rewrite metrics.csv with all epochs so far, so that resumed runs contain no duplicate rows."""
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_file(self.path / "metrics.csv", text.getvalue())


def read_metrics(path: str | Path) -> list[dict[str, float]]:
    """Read the metrics.csv of a run.

    Args:
        path: the run directory.

    Returns:
        One dictionary per epoch.

    Raises:
        FileNotFoundError: there is no metrics.csv.

    Examples:
        >>> from tinynets.engine import read_metrics
        >>> from tinynets.engine.record import RunDir
        >>> RunDir(".").write_metrics([{"epoch": 1, "val_top1": 91.5}])
        >>> read_metrics(".")
        [{'epoch': 1.0, 'val_top1': 91.5}]
    """
    with open(Path(path) / "metrics.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _load_state(path: Path) -> dict[str, Any]:
    """Read a file written by `RunDir.save_state` onto the CPU, without executing any code in it.

    Raises:
        ValueError: the file is damaged, is not a state, or contains code.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a training state: it contains more than tensors and plain values (nothing was executed)"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} is not readable ({reason}): it may be truncated. Start from the weights beside it, "
            "in another directory: train --init DIR --out OTHER"
        ) from error
    if not isinstance(state, dict) or "identity" not in state:
        raise ValueError(f"{path} is not the state of a run")
    return state
