import csv
import json
import math
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from tinynets.models import create_model

from .augment import Augmenter
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .data import ImageData, split_validation
from .evaluate import evaluate
from .recipe import Augment, Recipe

RUN_FILES = ("recipe.json", "metrics.csv", "summary.json", "best.safetensors", "last.safetensors")


def train(
    model_name: str,
    data: ImageData,
    recipe: Recipe,
    out: str | Path,
    device: str | torch.device = "cpu",
    model_args: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a model from scratch and leave a run directory behind.

    The directory gets recipe.json, metrics.csv (a row an epoch), best.safetensors (by validation accuracy),
    last.safetensors and summary.json. The test set is read once, at the end, for the last and the best weights.

    Args:
        model_name: one of `tinynets.list_models()`; its classes, channels and image size follow the data.
        data: what to train on.
        recipe: how.
        out: the run directory; made if need be.
        device: where.
        model_args: further arguments of the model's class, such as {"width": 0.5}.

    Returns:
        What summary.json holds.

    Raises:
        FileExistsError: out holds a run already.
        FloatingPointError: the loss stopped being a number; last.safetensors is of the epoch before.
        ValueError: the recipe or model_args do not fit the model or the data.
    """
    device = torch.device(device)
    torch.manual_seed(recipe.seed)
    model_args = {**data_args(model_name, data), **(model_args or {})}
    model = create_model(model_name, **model_args).to(device).to(memory_format=torch.channels_last)
    run = _Run(model, data, recipe, device)
    out = _claim(Path(out))
    (out / "recipe.json").write_text(json.dumps(recipe.to_dict(), indent=2) + "\n")

    row, best, best_score = {}, {}, -math.inf
    started = time.perf_counter()
    for epoch in range(1, recipe.schedule.epochs + 1):
        epoch_started = time.perf_counter()
        row = {"epoch": epoch, **run.train_epoch(epoch)}
        if not math.isfinite(row["train_loss"]):
            raise FloatingPointError(
                f"the loss became {row['train_loss']} in epoch {epoch}: lower the learning rate, which was "
                f"{recipe.optimizer.lr:g}; the weights of the epoch before, if any, are in {out}"
            )
        row |= run.validate()
        row["seconds"] = time.perf_counter() - epoch_started
        facts = Checkpoint(model_name, model_args, data.name, data.mean, data.std, data.class_names, row)
        save_checkpoint(out / "last.safetensors", run.averaged, facts)
        score = row.get("val_top1", epoch)  # with nothing held out the last epoch is the best there is
        if score >= best_score:
            best, best_score = row, score
            save_checkpoint(out / "best.safetensors", run.averaged, facts)
        _log(out / "metrics.csv", row, recipe.schedule.epochs)

    summary = {
        "model": model_name,
        "model_args": model_args,
        "params": sum(p.numel() for p in model.parameters()),
        "data": data.name,
        "recipe": recipe.to_dict(),
        "train_images": len(run.train_labels),
        "val_images": len(run.val_labels),
        "last": {**row, **run.test(out / "last.safetensors")},
        "best": {**best, **run.test(out / "best.safetensors")},
        "train_seconds": time.perf_counter() - started,
        **_environment(device),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def data_args(model_name: str, data: ImageData) -> dict[str, Any]:
    """The arguments with which a model fits a data set."""
    args: dict[str, Any] = {"num_classes": data.num_classes, "in_chans": data.in_chans}
    cfg = timm.models.get_pretrained_cfg(model_name)
    if cfg is not None and cfg.fixed_input_size:
        args["img_size"] = data.img_size
    return args


class _Run:
    """The state of one training run, and what happens to it in an epoch."""

    def __init__(self, model: nn.Module, data: ImageData, recipe: Recipe, device: torch.device) -> None:
        self.model, self.data, self.recipe, self.device = model, data, recipe, device
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.augment = Augmenter(recipe.augment, data.mean, data.std)
        self.normalise = Augmenter(Augment(), data.mean, data.std)

        train, val = split_validation(data.train_labels, recipe.val_size, self.generator)
        self.train_images, self.train_labels = data.train_images[train].to(device), data.train_labels[train].to(device)
        self.val_images, self.val_labels = data.train_images[val].to(device), data.train_labels[val].to(device)
        self.steps = len(train) // recipe.batch_size
        if self.steps == 0:
            raise ValueError(f"batch_size ({recipe.batch_size}) is larger than the training set ({len(train)} images)")

        o, s = recipe.optimizer, recipe.schedule
        self.optimizer = create_optimizer_v2(
            model, opt=o.name, lr=o.lr, weight_decay=o.weight_decay, momentum=o.momentum
        )
        self.scheduler = CosineLRScheduler(
            self.optimizer,
            t_initial=(s.cosine_epochs or s.epochs) * self.steps,
            lr_min=s.min_lr,
            warmup_t=round(s.warmup_epochs * self.steps),
            t_in_epochs=False,
        )
        self.scheduler.step_update(0)
        self.ema = ModelEmaV3(model, decay=recipe.ema_decay, use_warmup=True) if recipe.ema_decay else None

    @property
    def averaged(self) -> nn.Module:
        """The weights that are validated and saved."""
        return self.model if self.ema is None else self.ema.module

    def train_epoch(self, epoch: int) -> dict[str, float]:
        batch_size = self.recipe.batch_size
        self.model.train()
        lr = 0.0
        loss_sum = torch.zeros((), device=self.device)
        hits = torch.zeros((), device=self.device)
        order = torch.randperm(len(self.train_labels), generator=self.generator)[: self.steps * batch_size]
        batches = tqdm(
            order.to(self.device).split(batch_size),
            desc=f"epoch {epoch}/{self.recipe.schedule.epochs}",
            leave=False,
            disable=not sys.stderr.isatty(),
        )
        for step, batch in enumerate(batches, (epoch - 1) * self.steps + 1):
            labels = self.train_labels[batch]
            logits = self.model(self.augment(self.train_images[batch], self.generator))
            loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if self.ema is not None:
                self.ema.update(self.model, step=step)
            loss_sum += loss.detach()
            hits += (logits.detach().argmax(1) == labels).sum()
            lr = self.optimizer.param_groups[0]["lr"]
            self.scheduler.step_update(step)
        return {"lr": lr, "train_loss": loss_sum.item() / self.steps, "train_top1": 100 * hits.item() / len(order)}

    def validate(self) -> dict[str, float]:
        if len(self.val_labels) == 0:
            return {}
        result = evaluate(self.averaged, self.val_images, self.val_labels, self.normalise)
        return {"val_loss": result["loss"], "val_top1": result["top1"]}

    def test(self, path: Path) -> dict[str, float]:
        model, _ = load_checkpoint(path)
        result = evaluate(model.to(self.device), self.data.test_images, self.data.test_labels, self.normalise)
        return {"test_loss": result["loss"], "test_top1": result["top1"]}


def _environment(device: torch.device) -> dict[str, Any]:
    return {
        "versions": {
            "tinynets": version("tinynets"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
        },
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
    }


def _claim(out: Path) -> Path:
    """Make the run directory; refuse one that holds a run."""
    held = [name for name in RUN_FILES if (out / name).exists()]
    if held:
        raise FileExistsError(f"{out} holds a run already ({held[0]}): name another directory or remove it")
    out.mkdir(parents=True, exist_ok=True)
    return out


def _log(path: Path, row: dict[str, Any], epochs: int) -> None:
    """One line on the terminal, one row in metrics.csv."""
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    val = f"  val {row['val_top1']:6.2f} %" if "val_top1" in row else ""
    print(
        f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}  loss {row['train_loss']:.4f}  "
        f"train {row['train_top1']:6.2f} %{val}  lr {row['lr']:.2g}  {row['seconds']:.1f} s",
        file=sys.stderr,
    )
