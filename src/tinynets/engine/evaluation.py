"""What a trained model does with images: logits, and the figures they give."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_positive, unknown
from tinynets._guest import plain_defaults
from tinynets._modes import evaluation_mode

from .augment import Augmenter

_SHIFTS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
TTA = ("none", "flip", "shift", "flip+shift")


@plain_defaults()
@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, normalise: Augmenter, batch_size: int = 500, tta: str = "none") -> Tensor:
    """Logits (N, num_classes), fp32 on the CPU, of a model in evaluation mode.

    Args:
        model: any classifier; its mode is put back afterwards.
        images: uint8 (N, C, H, W) on any device.
        normalise: an `Augmenter` that only normalises.
        batch_size: images at a time.
        tta: test-time augmentation: "flip" averages the logits of the image and its mirror image, "shift" of the
            image and its shifts by one pixel in four directions, "flip+shift" of all ten.
    """
    views = _views(tta)
    return torch.cat([logits.mean(0).cpu() for logits in _view_logits(model, images, normalise, batch_size, views)])


@plain_defaults()
@torch.inference_mode()
def shift_consistency(model: nn.Module, images: Tensor, normalise: Augmenter, batch_size: int = 500) -> float:
    """How often, in percent, the predicted class stays when the image moves by one pixel.

    Over all images and the four directions; what comes in at the border repeats the edge. Arguments as of `predict`.

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again, 2019 (https://arxiv.org/abs/1904.11486), whose
    shifts are larger.
    """
    if len(images) == 0:
        raise ValueError("there are no images to evaluate")
    kept = 0
    for logits in _view_logits(model, images, normalise, batch_size, _views("shift")):
        still, *moved = logits.argmax(2)
        kept += int(sum((classes == still).sum() for classes in moved))
    return 100 * kept / (len(_SHIFTS) - 1) / len(images)


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalise: Augmenter,
    batch_size: int = 500,
    tta: str = "none",
) -> dict[str, Any]:
    """Accuracy, loss, calibration and speed of a model in evaluation mode.

    Args:
        model, images, normalise, batch_size, tta: those of `predict`.
        labels: int64 (N,), on any device.

    Returns:
        What `figures` returns, images_per_second, and images, their number.

    Raises:
        ValueError: there are no images, or labels the model has no class for.
    """
    if len(images) == 0:
        raise ValueError("there are no images to evaluate")
    started = time.perf_counter()
    logits = predict(model, images, normalise, batch_size, tta)
    seconds = time.perf_counter() - started
    return {**figures(logits, labels.cpu()), "images_per_second": len(images) / seconds, "images": len(images)}


@plain_defaults()
def figures(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """What logits (N, C) say about labels (N,).

    Returns:
        top1 and top5 in percent; loss, the mean cross-entropy in nats; calibration_error in percent (expected error
        over 15 equal bins of confidence, Guo et al., 2017); per_class, the accuracy of every class in percent, None
        for a class without images.
    """
    classes = logits.shape[1]
    if labels.max() >= classes:
        raise ValueError(f"the data have class {int(labels.max())}, the model has {classes} classes")
    share, confidence, accuracy = calibration_bins(logits, labels).unbind(1)
    ranked = logits.topk(min(5, classes), dim=1).indices == labels.unsqueeze(1)
    counts = torch.bincount(labels, minlength=classes)
    hits = torch.bincount(labels[ranked[:, 0]], minlength=classes)
    return {
        "top1": 100 * int(ranked[:, 0].sum()) / len(labels),
        "top5": 100 * int(ranked.sum()) / len(labels),
        "loss": F.cross_entropy(logits, labels).item(),
        "calibration_error": 100 * (share * (confidence - accuracy).abs()).sum().item(),
        "per_class": [100 * h / n if n else None for h, n in zip(hits.tolist(), counts.tolist(), strict=True)],
    }


def confusion_matrix(logits: Tensor, labels: Tensor) -> Tensor:
    """(C, C) counts: row the label, column the prediction."""
    classes = logits.shape[1]
    return torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).view(classes, classes)


@plain_defaults()
def calibration_bins(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """(bins, 3), fp64: each bin's share of the images, their mean confidence and their accuracy, all in 0..1.

    Bin i holds the images whose largest probability lies in (i / bins, (i + 1) / bins]; empty ones are zeros.
    """
    confidence, predicted = logits.softmax(1).max(1)
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    values = torch.stack([torch.ones_like(confidence), confidence, predicted == labels], 1).double()
    sums = torch.zeros(bins, 3, dtype=torch.float64).index_add_(0, index, values)
    return torch.cat([sums[:, :1] / len(labels), sums[:, 1:] / sums[:, :1].clamp_min(1)], 1)


def _view_logits(
    model: nn.Module, images: Tensor, normalise: Augmenter, batch_size: int, views: list[tuple[bool, int, int]]
) -> Iterator[Tensor]:
    """A batch at a time the logits (views, N, C), fp32, of a model in evaluation mode."""
    check_positive(batch_size=batch_size)
    device = next(model.parameters()).device
    with evaluation_mode(model):
        for batch in images.split(batch_size):
            x = normalise(batch.to(device))
            yield torch.stack([model(_view(x, *view)).float() for view in views])


def _views(tta: str) -> list[tuple[bool, int, int]]:
    if tta not in TTA:
        raise unknown("test-time augmentation", tta, TTA)
    shifts = _SHIFTS if "shift" in tta else _SHIFTS[:1]
    return [(mirrored, *shift) for mirrored in ((False, True) if "flip" in tta else (False,)) for shift in shifts]


def _view(x: Tensor, mirrored: bool, down: int, right: int) -> Tensor:
    if mirrored:
        x = x.flip(3)
    if down or right:  # what comes in from outside repeats the edge
        height, width = x.shape[2:]
        x = F.pad(x, (1, 1, 1, 1), mode="replicate")[:, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
        x = x.contiguous(memory_format=torch.channels_last)
    return x
