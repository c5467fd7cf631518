import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tinynets._files import write_file
from tinynets._say import say

from .state import load_state, save_state

FILES = (
    "recipe.json",
    "metrics.csv",
    "events.jsonl",
    "summary.json",
    "best.safetensors",
    "last.safetensors",
    "state.pt",
    "state.previous.pt",
)


class RunDir:
    """The files of one training run.

    recipe.json, metrics.csv (a row an epoch), events.jsonl (what happened, in order of time), best.safetensors,
    last.safetensors, summary.json, and state.pt with all that is needed to go on; state.previous.pt is the one before.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def claim(self, resume: bool) -> Iterator[None]:
        """Make the directory and keep other processes out.

        Raises:
            FileExistsError: it holds a run and resume is false.
            OSError: nothing can be written there.
        RuntimeError: another process is at work there.
        """
        held = [name for name in FILES if (self.path / name).exists()]
        if held and not resume:
            raise FileExistsError(
                f"{self.path} holds a run already ({held[0]}): go on with it (--resume, resume=True) or name another"
            )
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RuntimeError(f"another process is training in {self.path}: name another directory") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno, f"cannot write to {self.path} ({reason}): name another directory") from error
        try:
            yield
        finally:
            lock.release()

    def state(self) -> dict[str, Any] | None:
        """What `save_state` wrote last, or before that if the last is damaged; None if there is nothing yet.

        Raises:
            ValueError: what is there cannot be read.
        """
        path, backup = self.path / "state.pt", self.path / "state.previous.pt"
        if not path.exists():
            return load_state(backup) if backup.exists() else None
        try:
            return load_state(path)
        except ValueError as error:
            if not backup.exists():
                raise
            state = load_state(backup)
            os.replace(path, self.path / "state.damaged.pt")  # never to become the backup
            say(f"tinynets: {error}; going on from {backup.name}, saved before it")
            return state

    def save_state(self, state: dict[str, Any]) -> None:
        save_state(self.path / "state.pt", state, backup=self.path / "state.previous.pt")

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        write_file(self.path / name, json.dumps(value, indent=2) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else None

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        write_file(self.path / name, "".join(f"{line}\n" for line in lines))

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """All epochs so far; rewritten whole, so that a resumed run leaves no row twice."""
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_file(self.path / "metrics.csv", text.getvalue())

    def add_event(self, event: dict[str, Any]) -> None:
        """One more line of events.jsonl."""
        path = self.path / "events.jsonl"
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        with open(path, "a") as file:
            file.write(("\n" if torn else "") + json.dumps(event) + "\n")


def read_metrics(path: str | Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv."""
    with open(Path(path) / "metrics.csv", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
