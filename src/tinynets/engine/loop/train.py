import dataclasses
import math
import time
from contextlib import nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from tinynets.engine.data import ImageData
from tinynets.engine.evaluate import evaluate
from tinynets.engine.recipes import Recipe, differences, recipe_from_dict
from tinynets.engine.record import Checkpoint, RunDir, Terminal, environment, load_checkpoint, save_checkpoint

from .cpu import keep_freed_memory
from .interrupt import Interrupt, interruptible
from .run import Run, build_model
from .workers import workers


def train(
    model_name: str,
    data: ImageData,
    recipe: Recipe,
    out: str | Path,
    device: str | torch.device = "cpu",
    model_args: dict[str, Any] | None = None,
    resume: bool = False,
    save_seconds: float = 60.0,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Train a model from scratch and leave a run directory behind.

    The directory gets recipe.json, metrics.csv (a row an epoch), events.jsonl, best.safetensors (by validation
    accuracy), last.safetensors, state.pt (all that is needed to go on) and summary.json. The test set is read once, at
    the end, for the last and the best weights. Images that were left out are listed in skipped.txt. Under torchrun the
    processes train together.

    Args:
        model_name: one of `tinynets.list_models()`, or any model timm knows; its classes, channels and image size
            follow the data.
        data: what to train on.
        recipe: how.
        out: the run directory; made if need be.
        device: where.
        model_args: further arguments of the model's class, such as {"width": 0.5}.
        resume: go on with the run in out, bit by bit as if it had not stopped; start it if there is none.
        save_seconds: the state is saved so often, and after every epoch.
        tensorboard: log to out/tensorboard too; needs the package of that name.

    Returns:
        What summary.json holds.

    Raises:
        FileExistsError: out holds a run already, and resume is false.
        FloatingPointError: the loss stopped being a finite number; what was saved before is intact.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run is saved.
        OSError: the disk is full, or out cannot be written; what was saved before is intact.
        RuntimeError: another process trains in out, or the device is not to be had.
        ValueError: the recipe or model_args do not fit the model or the data, or the run in out is another one.
    """
    with workers(device) as team:
        if team.device.type == "cpu":
            keep_freed_memory()
        model, model_args = build_model(model_name, data, recipe, model_args)
        run = Run(model, data, recipe, team)
        directory = RunDir(out)
        try:
            with directory.claim(resume) if team.is_main else nullcontext(), interruptible() as interrupt:
                facts = Checkpoint(
                    model_name, model_args, data.name, data.mean, data.std, data.class_names, data.img_size
                )
                training = _Training(run, data, facts, directory, save_seconds, tensorboard)
                try:
                    return training.go(interrupt)
                except RuntimeError as error:
                    if interrupt.requested and not team.is_main:  # the main process has saved the run and gone
                        raise KeyboardInterrupt from error
                    raise
        finally:
            run.release()


class _Training:
    """The epochs of a run, and what is kept of them."""

    def __init__(
        self,
        run: Run,
        data: ImageData,
        facts: Checkpoint,
        directory: RunDir,
        save_seconds: float,
        tensorboard: bool,
    ) -> None:
        self.run, self.data, self.facts, self.directory, self.team = run, data, facts, directory, run.team
        self.save_seconds = save_seconds
        self.tensorboard = _tensorboard(directory.path) if tensorboard and self.team.is_main else None
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.started = time.perf_counter()  # less the time that was spent before a resume
        self.epoch_started = self.saved_at = self.started

    def go(self, interrupt: Interrupt) -> dict[str, Any]:
        state = self.team.share(self.directory.state() if self.team.is_main else None)
        if state is None:
            self._start()
        else:
            self._continue(state)
            if state["finished"] and (summary := self.team.share(self._finished_summary())):
                return summary
        epochs = self.run.recipe.schedule.epochs
        terminal = Terminal(self.run.steps, epochs, self.run.step) if self.team.is_main else None
        if terminal is not None:
            terminal.line(self._headline())
        try:
            while self.run.epochs_done < epochs and not self.team.share(self._out_of_patience()):
                row = {"epoch": self.run.epochs_done + 1}
                row |= self.run.train_epoch(lambda: self._after_step(interrupt, terminal))
                if terminal is not None:
                    self._end_epoch(row, terminal)
                    self._stop_if_asked(interrupt)
        finally:
            if terminal is not None:
                terminal.close()
            if self.tensorboard is not None:
                self.tensorboard.close()
        return self.team.share(self._finish() if self.team.is_main else None)

    def _headline(self) -> str:
        train, val = len(self.run.train_labels), len(self.run.val_labels)
        images = f"{train:,} images of {self.data.name}" + (f" and {val:,} to validate" if val else "")
        return f"{self.facts.model}  {_params(self.run):,} parameters, {images}"

    def _identity(self) -> dict[str, Any]:
        return {
            "model": self.facts.model,
            "model_args": self.facts.model_args,
            "data": self.data.name,
            "data_sha256": self.data.digest(),
            "recipe": self.run.recipe.to_dict(),
        }

    def _start(self) -> None:
        self.identity = self._identity()
        if self.team.is_main:
            self.directory.write_json("recipe.json", self.run.recipe.to_dict())
            if self.data.skipped:
                self.directory.write_lines("skipped.txt", self.data.skipped)
            self._save_state()
            self._event("start")

    def _continue(self, state: dict[str, Any]) -> None:
        self.identity = self._identity()
        _check_same(state["identity"], self.identity, self.directory.path)
        self.run.load_state_dict(state["run"])
        self.history, self.best = state["history"], state["best"]
        self.started -= state["seconds"]
        self.epoch_started -= state["epoch_seconds"]
        if self.team.is_main:
            self._event("resume")

    def _after_step(self, interrupt: Interrupt, terminal: Terminal | None) -> None:
        if terminal is None:
            return
        terminal.step(min(self.run.epochs_done + 1, self.run.recipe.schedule.epochs))
        if self.run.within_epoch:  # the end of an epoch is saved with its figures
            if time.perf_counter() - self.saved_at > self.save_seconds:
                self._save_state()
            self._stop_if_asked(interrupt)

    def _end_epoch(self, row: dict[str, Any], terminal: Terminal) -> None:
        row |= self.run.validate()
        now = time.perf_counter()
        row["seconds"] = now - self.epoch_started
        self.epoch_started = now
        self.history.append(row)
        self._save_weights("last", row)
        # with nothing held out the last epoch is the best there is
        if _score(row) >= _score(self.best):
            self.best = row
            self._save_weights("best", row)
        self.directory.write_metrics(self.history)
        self._save_state()
        self._event("epoch", **row)
        if self.tensorboard is not None:
            for name, value in row.items():
                self.tensorboard.add_scalar(name, value, row["epoch"])
        left = (now - self.started) / self.run.step * (self.run.recipe.schedule.epochs * self.run.steps - self.run.step)
        terminal.epoch(row, left)

    def _out_of_patience(self) -> bool:
        patience = self.run.recipe.schedule.patience
        if not patience or not self.history:
            return False
        first_best = max(self.history, key=_score)  # as good again is no progress
        return self.history[-1]["epoch"] - first_best["epoch"] >= patience

    def _stop_if_asked(self, interrupt: Interrupt) -> None:
        if interrupt.requested:
            self._save_state()
            self._event("interrupted")
            epoch, step = divmod(self.run.step, self.run.steps)
            raise KeyboardInterrupt(
                f"{epoch} epochs and {step} steps are saved in {self.directory.path}: go on with --resume"
            )

    def _finish(self) -> dict[str, Any]:
        self._save_state(finished=True)
        row = dict(self.history[-1])
        if self.run.recipe.bn_images:
            self.run.estimate_norms()
            row |= self.run.validate()
            self._save_weights("last", row)
        summary = {
            "model": self.facts.model,
            "model_args": self.facts.model_args,
            "params": _params(self.run),
            "data": self.data.name,
            "data_sha256": self.identity["data_sha256"],
            "seed": self.run.recipe.seed,
            "recipe": self.run.recipe.to_dict(),
            "train_images": len(self.run.train_labels),
            "val_images": len(self.run.val_labels),
            "last": {**row, **self._test("last")},
            "best": {**self.best, **self._test("best")},
            "train_seconds": time.perf_counter() - self.started,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "processes": self.team.count,
            **environment(self.team.device),
        }
        self.directory.write_json("summary.json", summary)
        self._event("finish", last=summary["last"], best=summary["best"])
        return summary

    def _finished_summary(self) -> dict[str, Any] | None:
        return self.directory.read_json("summary.json") if self.team.is_main else None

    def _test(self, which: str) -> dict[str, float]:
        model, _ = load_checkpoint(self.directory.path / f"{which}.safetensors")
        images, labels = self.data.split("test")
        result = evaluate(model.to(self.team.device), images, labels, self.run.normalise)
        return {"test_loss": result["loss"], "test_top1": result["top1"]}

    def _save_weights(self, which: str, row: dict[str, Any]) -> None:
        facts = dataclasses.replace(self.facts, results=row)
        save_checkpoint(self.directory.path / f"{which}.safetensors", self.run.averaged, facts)

    def _save_state(self, finished: bool = False) -> None:
        self.run.check_finite()
        self.saved_at = time.perf_counter()
        self.directory.save_state(
            {
                "identity": self.identity,
                "run": self.run.state_dict(),
                "history": self.history,
                "best": self.best,
                "seconds": self.saved_at - self.started,
                "epoch_seconds": self.saved_at - self.epoch_started,
                "finished": finished,
            }
        )

    def _event(self, kind: str, **facts: Any) -> None:
        moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        self.directory.add_event({"time": moment, "event": kind, "step": self.run.step, **facts})


def _params(run: Run) -> int:
    return sum(p.numel() for p in run.model.parameters())


def _score(row: dict[str, Any]) -> float:
    return row.get("val_top1", row["epoch"]) if row else -math.inf


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise ValueError naming the first thing in which the run in path is another than the one asked for."""
    fields = differences(recipe_from_dict(before["recipe"]), recipe_from_dict(now["recipe"]))
    fields |= {key: (before[key], now[key]) for key in ("model", "model_args", "data") if before[key] != now[key]}
    for name, (old, new) in fields.items():
        raise ValueError(f"the run in {path} has {name} {old!r}, not {new!r}: resume it as it was, or start another")
    if before["data_sha256"] != now["data_sha256"]:
        raise ValueError(
            f"{now['data']} has changed since the run in {path} began: restore the data or start another run"
        )


def _tensorboard(path: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RuntimeError("logging to TensorBoard needs its package: pip install 'tinynets[plots]'") from error
    return SummaryWriter(str(path / "tensorboard"))
