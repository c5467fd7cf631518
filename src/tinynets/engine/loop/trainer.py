"""The epoch loop of a run and its files."""

import logging
import math
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tinynets._modules import copied
from tinynets.engine.data import ImageData
from tinynets.engine.evaluation import evaluate
from tinynets.engine.recipes import differences, override, recipe_from_dict, with_epochs
from tinynets.engine.record import (
    SPLIT,
    Checkpoint,
    ProgressBar,
    RunDir,
    environment,
    load_checkpoint,
    save_checkpoint,
)

from .interrupt import Interrupt
from .loss import with_absolute_teacher
from .run import Run

_logger = logging.getLogger(__name__)


class Trainer:
    """The epoch loop of a run, which writes its files.

    Args:
        run: the model in training.
        data: the data set.
        metadata: metadata of the checkpoints.
        directory: the run directory.
        message: description of the initial weights; None for random weights.
        save_seconds: as in `train`.
        tensorboard: as in `train`.
    """

    def __init__(
        self,
        run: Run,
        data: ImageData,
        metadata: Checkpoint,
        directory: RunDir,
        message: str | None,
        save_seconds: float,
        tensorboard: bool,
    ) -> None:
        self.run, self.data, self.metadata, self.directory, self.distributed = (
            run,
            data,
            metadata,
            directory,
            run.distributed,
        )
        self.message, self.save_seconds = message, save_seconds
        self.tensorboard = _tensorboard(directory.path) if tensorboard and self.distributed.is_main else None
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.patience_from = 0  # number of epochs when the run was extended
        self.started = time.perf_counter()  # moved back by the time before a resume
        self.epoch_started = self.saved_at = self.started

    def fit(self, interrupt: Interrupt) -> dict[str, Any]:
        state = self.distributed.broadcast(self.directory.state() if self.distributed.is_main else None)
        self.run.make_views(self.directory.path / "teacher_logits.safetensors", self.metadata.data_sha256)
        if state is None:
            self._start()
        else:
            extended = self._continue(state)
            if state["finished"] and not extended and (summary := self.distributed.broadcast(self._finished_summary())):
                return summary
        epochs = self.run.recipe.schedule.epochs
        progress = ProgressBar(self.run.steps, epochs, self.run.step, shown=self.distributed.is_main)
        progress.line(self._headline())
        if self.message:
            progress.line(self.message)
        try:
            self.run.compute_logits(lambda: self._stop_if_asked(interrupt))
            while self.run.epochs_done < epochs and not self.distributed.broadcast(self._out_of_patience()):
                row = {"epoch": self.run.epochs_done + 1}
                row |= self.run.train_epoch(lambda: self._after_step(interrupt, progress))
                if self.distributed.is_main:
                    self._end_epoch(row, progress)
                    self._stop_if_asked(interrupt)
        finally:
            progress.close()
            if self.tensorboard is not None:
                self.tensorboard.close()
        return self.distributed.broadcast(self._finish() if self.distributed.is_main else None)

    def _headline(self) -> str:
        train, val = len(self.run.images.train_labels), len(self.run.images.val_labels)
        images = f"{train:,} images of {self.data.name}" + (f" and {val:,} for validation" if val else "")
        return f"{self.metadata.model}  {_params(self.run):,} parameters, {images}"

    def _identity(self) -> dict[str, Any]:
        return {
            "model": self.metadata.model,
            "model_args": self.metadata.model_args,
            "data": self.data.name,
            "data_sha256": self.metadata.data_sha256,
            "recipe": self.run.recipe.to_dict(),
        }

    def _start(self) -> None:
        self.identity = self._identity()
        if self.distributed.is_main:
            self.directory.write_json("recipe.json", self.run.recipe.to_dict())
            if self.data.skipped:
                self.directory.write_lines("skipped.txt", self.data.skipped)
            if self.data.duplicates:
                self.directory.write_lines("duplicates.txt", self.data.duplicates)
            if (split := self.data.made_split) is not None:
                self.directory.write_json(SPLIT, split)
            self._save_state()

    def _continue(self, state: dict[str, Any]) -> bool:
        """Restore the state; return whether the run is extended by further epochs."""
        self.identity = self._identity()
        old_epochs = recipe_from_dict(state["identity"]["recipe"]).schedule.epochs
        _check_same(state["identity"], self.identity, self.directory.path)
        self.run.load_state_dict(state["run"])
        self.history, self.best = state["history"], state["best"]
        self.patience_from = state.get("patience_from", 0)
        self.started -= state["seconds"]
        self.epoch_started -= state["epoch_seconds"]
        extended = self.run.recipe.schedule.epochs > old_epochs
        if extended:
            self.patience_from = self.run.epochs_done
            self.message = self._extension_message(old_epochs)
            if self.distributed.is_main:
                self.directory.write_json("recipe.json", self.run.recipe.to_dict())
                self._save_state()
        return extended

    def _extension_message(self, old_epochs: int) -> str:
        last = f"{self.history[-1]['lr']:.2g}" if self.history else "none yet"
        return (
            f"resumes at epoch {self.run.epochs_done} of {old_epochs}, extended to {self.run.recipe.schedule.epochs}: "
            "weights, moving average, optimizer, metrics, best weights and random state are kept; the schedule is that "
            f"of {self.run.recipe.schedule.epochs} epochs, with a learning rate of {self.run.lr:.2g} (last: {last})"
        )

    def _after_step(self, interrupt: Interrupt, progress: ProgressBar) -> None:
        progress.step(min(self.run.epochs_done + 1, self.run.recipe.schedule.epochs))
        # at the end of an epoch the state is saved with its metrics
        if self.distributed.is_main and self.run.within_epoch:
            if time.perf_counter() - self.saved_at > self.save_seconds:
                self._save_state()
            self._stop_if_asked(interrupt)

    def _end_epoch(self, row: dict[str, Any], progress: ProgressBar) -> None:
        row |= self.run.validate()
        now = time.perf_counter()
        row["seconds"] = now - self.epoch_started
        self.epoch_started = now
        self.history.append(row)
        self._save_weights("last", row)
        # without validation images the last epoch counts as the best
        if _score(row) >= _score(self.best):
            self.best = row
            self._save_weights("best", row)
        self.directory.write_metrics(self.history)
        self._save_state()
        if self.tensorboard is not None:
            for name, value in row.items():
                self.tensorboard.add_scalar(name, value, row["epoch"])
        left = (now - self.started) / self.run.step * (self.run.recipe.schedule.epochs * self.run.steps - self.run.step)
        progress.epoch(row, left)

    def _out_of_patience(self) -> bool:
        patience = self.run.recipe.schedule.patience
        if not patience or not self.history:
            return False
        first_best = max(self.history, key=_score)  # the first of equal epochs: an equal score is no improvement
        return self.history[-1]["epoch"] - max(first_best["epoch"], self.patience_from) >= patience

    def _stop_if_asked(self, interrupt: Interrupt) -> None:
        if interrupt.requested:
            self._save_state()
            epoch, step = divmod(self.run.step, self.run.steps)
            done = f"{epoch} epoch{'s' * (epoch != 1)} and {step} step{'s' * (step != 1)}"
            raise KeyboardInterrupt(f"{done} are saved in {self.directory.path}: continue with --resume")

    def _finish(self) -> dict[str, Any]:
        self._save_state(finished=True)
        row = dict(self.history[-1])
        lagged = self._recompute_bn(row)
        summary = {
            "model": self.metadata.model,
            "model_args": self.metadata.model_args,
            "params": _params(self.run),
            "started_from": self.metadata.started_from,
            "data": self.data.name,
            "data_sha256": self.identity["data_sha256"],
            "seed": self.run.recipe.seed,
            "recipe": self.run.recipe.to_dict(),
            "train_images": len(self.run.images.train_labels),
            "val_images": len(self.run.images.val_labels),
            "last": {**row, **self._test("last")},
            "best": {**self.best, **self._test("best")},
            **({"norms_estimated": True} if lagged else {}),
            "train_seconds": time.perf_counter() - self.started,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "processes": self.distributed.world_size,
            **environment(self.distributed.device),
        }
        self.directory.write_json("summary.json", summary)
        return summary

    def _recompute_bn(self, row: dict[str, Any]) -> bool:
        """Recompute batch norm statistics if the recipe requires it or they lag; return whether they lagged."""
        if self.run.recipe.bn_images:
            self.run.update_bn()
        elif (gain := self.run.update_lagging_bn()) is None:
            return False
        else:
            _logger.warning(
                "the running statistics of the batch norms lagged behind the weights and were recomputed: accuracy on "
                f"unaugmented training images {gain[1]:.1f} % instead of {gain[0]:.1f} % (not needed in a longer run)"
            )
        row |= self.run.validate()
        self._save_weights("last", row)
        if self.run.recipe.bn_images:
            return False
        if _score(row) >= _score(self.best):
            self.best = row
            self._save_weights("best", row)
        return True

    def _finished_summary(self) -> dict[str, Any] | None:
        return self.directory.read_json("summary.json") if self.distributed.is_main else None

    def _test(self, which: str) -> dict[str, float]:
        own = copied(self.run.averaged) if self.metadata.own_module else None
        model, _ = load_checkpoint(self.directory.path / f"{which}.safetensors", own)
        images, labels = self.data.split("test")
        result = evaluate(model.to(self.distributed.device), images, labels, self.run.normalize)
        return {"test_loss": result["loss"], "test_top1": result["top1"]}

    def _save_weights(self, which: str, row: dict[str, Any]) -> None:
        metadata = replace(self.metadata, results=row)
        save_checkpoint(self.directory.path / f"{which}.safetensors", self.run.averaged, metadata)

    def _save_state(self, finished: bool = False) -> None:
        self.run.check_finite()
        self.saved_at = time.perf_counter()
        self.directory.save_state(
            {
                "identity": self.identity,
                "metadata": asdict(self.metadata),
                "patience_from": self.patience_from,
                "run": self.run.state_dict(),
                "history": self.history,
                "best": self.best,
                "seconds": self.saved_at - self.started,
                "epoch_seconds": self.saved_at - self.epoch_started,
                "finished": finished,
            }
        )


def _params(run: Run) -> int:
    return sum(p.numel() for p in run.model.parameters())


def _score(row: dict[str, Any]) -> float:
    return row.get("val_top1", row["epoch"]) if row else -math.inf


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise ValueError with the first difference between the run in path and the requested one.

    The run may be longer: with more epochs, and with or without the other changes that `with_epochs` makes.
    """
    old, new = (with_absolute_teacher(recipe_from_dict(identity["recipe"])) for identity in (before, now))
    if new.schedule.epochs > old.schedule.epochs:
        extended = with_epochs(old, new.schedule.epochs), override(old, {"schedule.epochs": new.schedule.epochs})
        old = next((recipe for recipe in extended if not differences(recipe, new)), old)
    fields = differences(old, new)
    fields |= {key: (before[key], now[key]) for key in ("model", "model_args") if before[key] != now[key]}
    if before["data_sha256"] != now["data_sha256"] and before["data"] != now["data"]:
        fields["data"] = before["data"], now["data"]
    for name, (old_value, new_value) in fields.items():
        raise ValueError(
            f"the run in {path} has {name} {old_value!r}, not {new_value!r}: resume it with the same settings, or "
            "start another run"
        )
    if before["data_sha256"] != now["data_sha256"]:
        raise ValueError(
            f"{now['data']} has changed since the run in {path} began: restore the data or start another run"
        )


def _tensorboard(path: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RuntimeError("logging to TensorBoard needs its package: pip install 'tinynets[tensorboard]'") from error
    return SummaryWriter(str(path / "tensorboard"))
