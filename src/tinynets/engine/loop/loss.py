import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets.engine.data import ImageData
from tinynets.engine.recipes import Distill, Recipe
from tinynets.engine.trained import checkpoint_path, class_order, load_trained

_logger = logging.getLogger(__name__)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Autocast in a recipe's precision; inactive for fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class TrainingLoss:
    """Cross-entropy with label smoothing, optionally combined with distillation from a teacher.

    loss = (1 - weight) CE(student, targets) + weight T^2 KL(softmax(teacher / T) || softmax(student / T)), averaged
    over the batch. "logit_std" standardizes the logits of every image first.

    class_weights: (C,), factors on the cross-entropy of each class; the mean still divides by the number of images.

    Sources: Hinton et al., Distilling the Knowledge in a Neural Network, 2015; Sun et al., Logit Standardization in
    Knowledge Distillation, 2024.
    """

    def __init__(
        self, recipe: Recipe, data: ImageData, device: torch.device, class_weights: Tensor | None = None
    ) -> None:
        self.class_weights = class_weights
        self.label_smoothing, self.distill = recipe.label_smoothing, recipe.distill
        self.device, self.precision = device, recipe.precision
        self.data = data
        self.teacher: Callable[[Tensor], Tensor] | None = None
        if not recipe.distill.views:
            self.load_teacher()

    def load_teacher(self) -> None:
        """Load the recipe's teacher, if it has one."""
        if self.distill.teacher is not None:
            self.teacher = load_teacher(self.distill.teacher, self.data, self.device)

    def teacher_logits(self, x: Tensor) -> Tensor:
        """Compute the teacher's logits (N, C) of images x."""
        assert self.teacher is not None
        with torch.no_grad(), autocast(self.device, self.precision):
            return self.teacher(x).float()

    def __call__(self, logits: Tensor, targets: Tensor, x: Tensor) -> Tensor:
        """Compute the loss of logits (N, C) for images x.

        targets: labels (N,) or soft targets (N, C); with distill.views, soft targets and teacher logits (N, 2C).
        """
        teacher_logits = None
        if self.distill.views:
            targets, teacher_logits = targets.chunk(2, 1)
        if self.class_weights is None:
            loss = F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
        else:  # torch's weighted mean would depend on the classes in the batch, and so on how a batch is split
            weights = self.class_weights
            loss = F.cross_entropy(logits, targets, weights, label_smoothing=self.label_smoothing, reduction="none")
            loss = loss.mean()
        if teacher_logits is None:
            if self.teacher is None:
                return loss
            teacher_logits = self.teacher_logits(x)
        weight = self.distill.weight
        return (1 - weight) * loss + weight * distillation(logits, teacher_logits, self.distill)


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Return class weights (classes,) inversely proportional to class frequency.

    Their mean over the images is 1; a class without images has weight 0.

    labels: int64 (N,), of the training images.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / ((counts > 0).sum() * counts), torch.zeros_like(counts))


def distillation(logits: Tensor, teacher_logits: Tensor, distill: Distill) -> Tensor:
    """Compute T^2 KL(softmax(wanted / T) || softmax(logits / T)), with standardized logits for "logit_std"."""
    t = distill.temperature
    if distill.kind == "logit_std":
        logits, teacher_logits = standardize(logits), standardize(teacher_logits)
    return t**2 * F.kl_div(
        F.log_softmax(logits / t, 1), F.log_softmax(teacher_logits / t, 1), reduction="batchmean", log_target=True
    )


def standardize(logits: Tensor) -> Tensor:
    """Standardize logits over the classes of each image: (z - mean) / std."""
    return (logits - logits.mean(1, keepdim=True)) / (1e-7 + logits.std(1, keepdim=True))


def with_absolute_teacher(recipe: Recipe) -> Recipe:
    """Return the recipe with an absolute path to its teacher, if that is a file."""
    teacher = recipe.distill.teacher
    if not teacher or not Path(teacher).exists() or checkpoint_path(teacher) is None:
        return recipe
    return replace(recipe, distill=replace(recipe.distill, teacher=str(Path(teacher).absolute())))


def load_teacher(name: str, data: ImageData, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Load a trained model for images of the size and normalization of `data`, with logits in the order of its classes.

    Images are normalized and resized as the model was trained.

    Args:
        name: name of a tinynets or timm model with pretrained weights, or a checkpoint.
        data: the data set.
        device: device of the model.

    Raises:
        ValueError: the name is unknown, or the model has other classes or channels.
        FileNotFoundError: there is no such file.
        RuntimeError: weights are missing.
    """
    trained = load_trained(name)
    model, metadata = trained.model, trained.metadata
    if (model.num_classes, trained.in_chans) != (data.num_classes, data.in_chans):
        raise ValueError(
            f"distill.teacher {name} expects {trained.in_chans}-channel images of {model.num_classes} classes, "
            f"{data.name} has {data.in_chans} and {data.num_classes}: use a teacher trained on {data.name}"
        )
    order = class_order(data.class_names, metadata.class_names)
    if order is None and metadata.class_names:
        raise ValueError(
            f"distill.teacher {name} was trained on other classes ({metadata.class_names[0]}, ...) than {data.name} "
            f"({data.class_names[0]}, ...): use a teacher trained on them"
        )
    if not metadata.class_names:
        _logger.warning(f"the class names of distill.teacher {name} are unknown: they are assumed in the data's order")
    model.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)
    size = tuple(metadata.img_size or data.img_size)
    same_size = size == tuple(data.img_size)
    if not same_size:
        _logger.info(f"images are resized from {data.img_size} to {size} for distill.teacher {name}")
    same_stats = (metadata.mean, metadata.std) == (data.mean, data.std)
    if same_size and same_stats and order in (None, list(range(data.num_classes))):
        return model
    data_mean, data_std, teacher_mean, teacher_std = (
        torch.tensor(values, device=device).view(-1, 1, 1)
        for values in (data.mean, data.std, metadata.mean, metadata.std)
    )
    index = torch.tensor(order or range(data.num_classes), device=device)

    def teacher(x: Tensor) -> Tensor:
        if not same_stats:
            x = (x * data_std + data_mean - teacher_mean) / teacher_std
        if not same_size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True)
        return model(x)[:, index]

    return teacher
