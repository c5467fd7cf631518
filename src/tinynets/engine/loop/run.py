import gc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from tinynets._modules import copied
from tinynets.engine.augment import Augmenter, BatchRNG, Mixer, Normalize
from tinynets.engine.data import ImageData
from tinynets.engine.evaluation import evaluate
from tinynets.engine.recipes import Recipe, with_min_steps

from .batch_norm import update_bn, update_lagging_bn
from .build import freeze_backbone
from .distributed import DistributedContext
from .images import RunImages
from .loss import TrainingLoss, autocast, balanced_weights
from .optimizer import create_optimizer
from .schedules import RecursionSchedule, learning_rate_setter, mixing_strength
from .step_graphs import StepGraphs, make_capturable
from .views import Views


class Run:
    """A model in training: the state that changes from step to step, and the step itself.

    Args:
        model: the model.
        data: the data set.
        recipe: the training settings.
        distributed: the processes of the run.

    Raises:
        ValueError: the recipe does not match the model, the data or the number of processes.

    Examples:
        >>> import torch, tinynets
        >>> from tinynets.engine import Recipe, load_data
        >>> from tinynets.engine.loop import Run, DistributedContext
        >>> model = tinynets.create_model("simplecnn_mnist", img_size=8)
        >>> run = Run(model, load_data("digits"), Recipe(batch_size=128), DistributedContext(0, 1, torch.device("cpu")))
        >>> run.steps, run.epochs_done
        (10, 0)
    """

    def __init__(self, model: nn.Module, data: ImageData, recipe: Recipe, distributed: DistributedContext) -> None:
        self.distributed, self.device = distributed, distributed.device
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.augment = Augmenter(recipe.augment, data.mean, data.std)
        self.normalize = Normalize(data.mean, data.std)
        self.statistics = data.mean, data.std
        self.mix = Mixer(recipe.mixing, data.num_classes)
        self.images = RunImages(data, recipe, self.generator, distributed)
        self.steps = self.images.steps
        recipe = replace(recipe, batch_size=self.images.batch_size)
        self.recipe = recipe = with_min_steps(recipe, self.steps)

        self.model = model.to(distributed.device).to(memory_format=torch.channels_last)
        self.frozen = freeze_backbone(self.model) if recipe.freeze == "backbone" else []
        self.recursion = RecursionSchedule(self.model, recipe)
        self.optimizer = create_optimizer(self.model, recipe.optimizer)
        self.set_learning_rate = learning_rate_setter(self.optimizer, recipe.schedule, self.steps)
        self.set_learning_rate(0)
        self.ema = ModelEmaV3(copied(self.model), decay=recipe.ema_decay, use_warmup=True) if recipe.ema_decay else None
        balanced = recipe.class_weights == "balanced"
        weights = balanced_weights(self.images.train_labels, data.num_classes) if balanced else None
        self.loss_function = TrainingLoss(recipe, data, self.device, weights)
        self.views: Views | None = None
        self.forward: Any = distributed.parallel(self.model, find_unused=recipe.recursion.depth_warmup_epochs > 0)
        self.graphs: StepGraphs | None = None
        if self.device.type == "cuda" and distributed.world_size == 1:
            self.graphs = StepGraphs(self._gradients, self.optimizer)

        self.step = 0
        self.order_state = self.generator.get_state()
        self.loss_sum = torch.zeros((), device=self.device)
        self.hits = torch.zeros((), device=self.device)
        self.first_bad = torch.full((), -1, device=self.device)
        self.checks_every_loss = self.device.type == "cpu"  # on other devices, reading the loss synchronizes

    @property
    def averaged(self) -> nn.Module:
        """The model that is validated and saved: the moving average if there is one."""
        return self.model if self.ema is None else self.ema.module

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return self.optimizer.param_groups[0]["lr"]

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return self.step // self.steps

    @property
    def within_epoch(self) -> bool:
        """Whether an epoch has begun but not ended."""
        return self.step % self.steps > 0

    def make_views(self, cache: Path, data_sha256: str | None) -> None:
        """Create the distill.views augmented views of the training images; load the teacher if the file cache lacks
        some of its logits."""
        if not self.recipe.distill.views:
            return
        self.views = Views(self.recipe, self.images.train_images, *self.statistics, cache, data_sha256)
        if self.distributed.is_main and not self.views.read_logits():
            self.loss_function.load_teacher()

    def compute_logits(self, after_batch: Callable[[], None]) -> None:
        """Compute the teacher's logits that are missing."""
        if self.views is None:
            return
        if self.distributed.is_main:
            self.views.compute_logits(self.loss_function.teacher_logits, after_batch)
        self.views.logits = self.distributed.broadcast(self.views.logits).to(self.device)

    def train_epoch(self, after_step: Callable[[], None]) -> dict[str, float]:
        """Train to the end of the epoch.

        The training accuracy is measured on augmented images while the weights change. Mixed images are scored against
        their original label even if another image has the larger share, so with mixing it cannot reach 100 %.

        Args:
            after_step: called after every step.

        Returns:
            lr: learning rate of the last step. train_loss: mean loss. train_top1: accuracy in percent.

        Raises:
            FloatingPointError: a loss was not finite.
        """
        if not self.within_epoch:
            self.order_state = self.generator.get_state()
            self.loss_sum.zero_()
            self.hits.zero_()
        current_state = self.generator.get_state()
        self.generator.set_state(self.order_state)
        size = self.steps * self.recipe.batch_size
        order = torch.randperm(len(self.images.train_labels), generator=self.generator)[:size]
        if self.within_epoch:
            self.generator.set_state(current_state)

        self.model.train()
        for norm in self.frozen:
            norm.eval()
        lr = 0.0
        for rows in order.split(self.recipe.batch_size)[self.step % self.steps :]:
            lr = self.lr
            self._train_step(
                rows[self.distributed.local_slice(self.recipe.batch_size)].to(self.device, non_blocking=True)
            )
            self.step += 1
            self.set_learning_rate(self.step)
            if self.checks_every_loss:
                self.check_finite()
            after_step()
        self.check_finite()
        return {
            "lr": lr,
            "train_loss": self.loss_sum.item() / self.steps,
            "train_top1": 100 * self.hits.item() / len(order),
        }

    def _train_step(self, rows: Tensor) -> None:
        recipe = self.recipe
        rng = BatchRNG(self.generator, recipe.batch_size, self.distributed.local_slice(recipe.batch_size), self.device)
        labels = self.images.train_labels[rows]
        if self.views is None:
            x, logits = self.augment(self.images.take(rows), rng), None
        else:
            x, logits = self.views(rows, rng)
        epoch = self.step / self.steps
        x, targets = self.mix(x, labels, rng, mixing_strength(recipe.mixing, epoch), logits)
        depth = self.recursion.set(epoch)
        self._seed_noise()
        if self.graphs is not None:
            stats = self.graphs(depth, x, targets, labels)
        else:
            stats = self._gradients(depth, x, targets, labels)
            self.optimizer.step()
        self.loss_sum += stats[0] / self.distributed.world_size  # here: a resumed run may have another world size
        self.hits += stats[1]
        self.first_bad = torch.where((self.first_bad < 0) & ~self.loss_sum.isfinite(), self.step, self.first_bad)
        if self.ema is not None:
            self.ema.update(self.model, step=self.step + 1)

    def _gradients(self, depth: int, x: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
        """Compute the gradients of a batch; return its loss and number of correctly classified images, (2,).

        depth: depth of the recursion, which is already set.
        """
        self.optimizer.zero_grad()
        with autocast(self.device, self.recipe.precision):
            logits = self.forward(x)
        logits = logits.float()
        loss = self.loss_function(logits, targets, x)
        loss.backward()
        stats = torch.stack([loss.detach(), (logits.detach().argmax(1) == labels).sum()])
        self.distributed.all_reduce(stats)
        if self.recipe.clip_grad:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad)
        return stats

    def _seed_noise(self) -> None:
        """Seed dropout and gate noise by the step number, so that a resumed run draws the same values."""
        seed = zlib.crc32(f"{self.recipe.seed} {self.step} {self.distributed.rank}".encode())
        torch.default_generator.manual_seed(seed)  # torch.manual_seed also queues calls for missing devices
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(seed)

    def check_finite(self) -> None:
        """Raise FloatingPointError if the loss of any step so far was not finite."""
        bad = int(self.first_bad)
        if bad >= 0:
            epoch, step = divmod(bad, self.steps)
            raise FloatingPointError(
                f"the loss was not finite in epoch {epoch + 1}, step {step + 1} of {self.steps}, at a learning rate of "
                f"{self.lr:.3g}: lower optimizer.lr or set clip_grad"
            )

    def validate(self) -> dict[str, float]:
        """Return validation loss and accuracy in percent, by name; empty without validation images."""
        if len(self.images.val_labels) == 0:
            return {}
        result = evaluate(self.averaged, self.images.val_images, self.images.val_labels, self.normalize)
        return {"val_loss": result["loss"], "val_top1": result["top1"]}

    def update_bn(self) -> None:
        """Recompute the batch norm statistics of the averaged weights on recipe.bn_images clean images."""
        images, _ = self.images.clean(self.recipe.bn_images, self.recipe.seed)
        update_bn(self.averaged, images, self.normalize, self.recipe.batch_size)

    def update_lagging_bn(self) -> tuple[float, float] | None:
        """Recompute the batch norm statistics if they lag behind the weights.

        Returns:
            The accuracy in percent before and after, None if the statistics did not lag.
        """
        if self.recipe.freeze == "backbone":
            return None
        images, labels = self.images.clean(1000, self.recipe.seed)
        return update_lagging_bn(self.averaged, images, labels, self.normalize, self.recipe.batch_size)

    def release(self) -> None:
        """Drop references to the process group before it is destroyed; in the reverse order torch may hang."""
        self.forward = None
        if self.distributed.world_size > 1:
            gc.collect()

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state for resuming the run."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "order_generator": self.order_state,
            "loss_sum": self.loss_sum,
            "hits": self.hits,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        make_capturable(state["optimizer"]["param_groups"], self.graphs is not None and self.graphs.captures_update)
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.order_state = state["order_generator"]
        self.loss_sum.copy_(state["loss_sum"])
        self.hits.copy_(state["hits"])
        self.set_learning_rate(self.step)  # an extended run has another learning rate here
