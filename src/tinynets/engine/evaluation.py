"""Prediction and classification metrics."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_positive, unknown
from tinynets._context import evaluation_mode, plain_defaults
from tinynets._modules import float_tensor, unwrapped

from .augment import Normalize

_SHIFTS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
TTA = ("none", "flip", "shift", "flip+shift")


@plain_defaults()
@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, normalize: Normalize, batch_size: int = 500, tta: str = "none") -> Tensor:
    """Compute the logits of a model in evaluation mode.

    Args:
        model: any classifier. Its mode is restored afterwards.
        images: uint8 (N, C, H, W), on any device.
        normalize: a `Normalize`.
        batch_size: images per forward pass.
        tta: test-time augmentation, which averages logits: "none"; "flip", over the image and its horizontal flip;
            "shift", over the image and its shifts by one pixel in four directions; "flip+shift", over all ten.

    Returns:
        (N, num_classes), fp32 on the CPU.

    Raises:
        ValueError: tta is unknown or batch_size is not positive.
        FloatingPointError: a logit is not finite.

    Examples:
        >>> import torch, tinynets
        >>> from tinynets.engine import Normalize, predict
        >>> model = tinynets.create_model("simplecnn_mnist", pretrained=True)
        >>> normalize = Normalize(model.pretrained_cfg["mean"], model.pretrained_cfg["std"])
        >>> predict(model, torch.zeros(3, 1, 28, 28, dtype=torch.uint8), normalize).shape
        torch.Size([3, 10])
    """
    views = _views(tta)
    return torch.cat([logits.mean(0).cpu() for logits in _view_logits(model, images, normalize, batch_size, views)])


@plain_defaults()
@torch.inference_mode()
def shift_consistency(model: nn.Module, images: Tensor, normalize: Normalize, batch_size: int = 500) -> float:
    """Measure how often the predicted class is invariant to a shift by one pixel.

    Every image is shifted in four directions, with replication padding.

    Args:
        model: any classifier. Its mode is restored afterwards.
        images: uint8 (N, C, H, W), on any device.
        normalize: a `Normalize`.
        batch_size: images per forward pass.

    Returns:
        Percentage of shifted images with an unchanged prediction.

    Raises:
        ValueError: there are no images.

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again, 2019 (https://arxiv.org/abs/1904.11486), where
    the shifts are larger.

    Examples:
        >>> import torch, tinynets
        >>> from tinynets.engine import Normalize
        >>> from tinynets.engine.evaluation import shift_consistency
        >>> model = tinynets.create_model("simplecnn_mnist", pretrained=True)
        >>> normalize = Normalize(model.pretrained_cfg["mean"], model.pretrained_cfg["std"])
        >>> shift_consistency(model, torch.zeros(3, 1, 28, 28, dtype=torch.uint8), normalize)
        100.0
    """
    if len(images) == 0:
        raise ValueError("there are no images to evaluate")
    unchanged = 0
    for logits in _view_logits(model, images, normalize, batch_size, _views("shift")):
        reference, *shifted = logits.argmax(2)
        unchanged += int(sum((classes == reference).sum() for classes in shifted))
    return 100 * unchanged / (len(_SHIFTS) - 1) / len(images)


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalize: Normalize,
    batch_size: int = 500,
    tta: str = "none",
) -> dict[str, Any]:
    """Measure accuracy, loss, calibration and throughput of a model in evaluation mode.

    Args:
        model: any classifier. Its mode is restored afterwards.
        images: uint8 (N, C, H, W), on any device.
        labels: int64 (N,), on any device.
        normalize: a `Normalize`.
        batch_size: images per forward pass.
        tta: test-time augmentation, as in `predict`.

    Returns:
        The result of `metrics`, plus images_per_second and images, the number of images.

    Raises:
        ValueError: there are no images, or a label exceeds the model's number of classes.
        FloatingPointError: a logit is not finite.

    Examples:
        >>> import torch, tinynets
        >>> from tinynets.engine import Normalize, evaluate
        >>> model = tinynets.create_model("simplecnn_mnist", pretrained=True)
        >>> normalize = Normalize(model.pretrained_cfg["mean"], model.pretrained_cfg["std"])
        >>> images, labels = torch.zeros(3, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 2])
        >>> evaluate(model, images, labels, normalize)["images"]
        3
    """
    return evaluate_with_logits(model, images, labels, normalize, batch_size, tta)[0]


def evaluate_with_logits(
    model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalize, batch_size: int = 500, tta: str = "none"
) -> tuple[dict[str, Any], Tensor]:
    """The result of `evaluate`, and the logits that it is of."""
    if len(images) == 0:
        raise ValueError("there are no images to evaluate")
    started = time.perf_counter()
    logits = predict(model, images, normalize, batch_size, tta)
    seconds = time.perf_counter() - started
    result = {**metrics(logits, labels.cpu()), "images_per_second": len(images) / seconds, "images": len(images)}
    return result, logits


@plain_defaults()
def metrics(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """Compute accuracy, loss and calibration from logits.

    Args:
        logits: (N, C).
        labels: int64 (N,).

    Returns:
        top1 and top5: accuracy in percent. loss: mean cross-entropy in nats. calibration_error: in percent. per_class:
        accuracy of each class in percent, None for a class without images.

    Raises:
        ValueError: a label exceeds the number of classes of the logits.
        FloatingPointError: a logit is not finite.

    Source: expected calibration error with 15 equal-width confidence bins, Guo et al., On Calibration of Modern Neural
    Networks, 2017.

    Examples:
        >>> import torch
        >>> from tinynets.engine.evaluation import metrics
        >>> metrics(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))["top1"]
        50.0
    """
    classes = logits.shape[1]
    check_finite(logits)
    if labels.max() >= classes:
        raise ValueError(f"label {int(labels.max())} out of range for {classes} classes")
    fraction, confidence, accuracy = calibration_bins(logits, labels).unbind(1)
    ranked = logits.topk(min(5, classes), dim=1).indices == labels.unsqueeze(1)
    counts = torch.bincount(labels, minlength=classes)
    hits = torch.bincount(labels[ranked[:, 0]], minlength=classes)
    return {
        "top1": 100 * int(ranked[:, 0].sum()) / len(labels),
        "top5": 100 * int(ranked.sum()) / len(labels),
        "loss": F.cross_entropy(logits, labels).item(),
        "calibration_error": 100 * (fraction * (confidence - accuracy).abs()).sum().item(),
        "per_class": [100 * h / n if n else None for h, n in zip(hits.tolist(), counts.tolist(), strict=True)],
    }


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the confusion matrix.

    Args:
        logits: (N, C).
        labels: int64 (N,).

    Returns:
        (C, C) counts; rows are labels, columns predictions.

    Examples:
        >>> import torch
        >>> from tinynets.engine import confusion_matrix
        >>> confusion_matrix(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
        tensor([[1, 0],
                [1, 0]])
    """
    classes = logits.shape[1]
    return torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).view(classes, classes)


@plain_defaults()
def calibration_bins(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Bin images by the model's confidence, the largest softmax probability.

    Bin i covers confidences in (i / bins, (i + 1) / bins].

    Args:
        logits: (N, C).
        labels: int64 (N,).
        bins: number of bins.

    Returns:
        (bins, 3), fp64, in 0..1: each bin's share of the images, mean confidence and accuracy; zeros for empty bins.

    Examples:
        >>> import torch
        >>> from tinynets.engine import calibration_bins
        >>> calibration_bins(torch.tensor([[9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1]), bins=2)[:, 2]
        tensor([0.0000, 0.5000], dtype=torch.float64)
    """
    confidence, predicted = logits.softmax(1).max(1)
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    values = torch.stack([torch.ones_like(confidence), confidence, predicted == labels], 1).double()
    sums = torch.zeros(bins, 3, dtype=torch.float64).index_add_(0, index, values)
    return torch.cat([sums[:, :1] / len(labels), sums[:, 1:] / sums[:, :1].clamp_min(1)], 1)


def _view_logits(
    model: nn.Module, images: Tensor, normalize: Normalize, batch_size: int, views: list[tuple[bool, int, int]]
) -> Iterator[Tensor]:
    """Yield the logits of each batch, (views, N, C) in fp32, of a model in evaluation mode."""
    check_positive(batch_size=batch_size)
    like = float_tensor(model, images.device)
    with evaluation_mode(model):
        for batch in images.split(batch_size):
            x = normalize(batch.to(like.device)).to(like.dtype)
            logits = torch.stack([model(_view(x, *view)).float() for view in views])
            check_finite(logits, f"{type(unwrapped(model)).__name__} in {like.dtype}")
            yield logits


def check_finite(logits: Tensor, source: str = "the model") -> None:
    """Raise FloatingPointError unless all logits are finite, since argmax would assign a class to NaN."""
    if not logits.isfinite().all():
        raise FloatingPointError(
            f"{source} returns non-finite logits: its weights or running statistics are damaged, or its dtype "
            "overflows; load intact weights, or use fp32"
        )


def _views(tta: str) -> list[tuple[bool, int, int]]:
    if tta not in TTA:
        raise unknown("test-time augmentation", tta, TTA)
    shifts = _SHIFTS if "shift" in tta else _SHIFTS[:1]
    return [(mirrored, *shift) for mirrored in ((False, True) if "flip" in tta else (False,)) for shift in shifts]


def _view(x: Tensor, mirrored: bool, down: int, right: int) -> Tensor:
    if mirrored:
        x = x.flip(3)
    if down or right:  # with replicate padding
        height, width = x.shape[2:]
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")[:, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        x = x.contiguous(memory_format=torch.channels_last)
    return x
