import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._modes import evaluation_mode

from .augment import Augmenter


@torch.inference_mode()
def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, normalise: Augmenter, batch_size: int = 500
) -> dict[str, Any]:
    """Accuracy, loss and speed of a model in evaluation mode, no test-time augmentation.

    Args:
        model: any classifier; its mode is put back afterwards.
        images, labels: uint8 (N, C, H, W) and int64 (N,), on any device.
        normalise: an `Augmenter` that only normalises.
        batch_size: images at a time.

    Returns:
        top1 and top5 in percent, loss (mean cross-entropy in nats), images_per_second, and images, their number.

    Raises:
        ValueError: there are no images, or labels the model has no class for.
    """
    if len(images) == 0:
        raise ValueError("there are no images to evaluate")
    device = next(model.parameters()).device
    hits1 = hits5 = 0
    loss = 0.0
    started = time.perf_counter()
    with evaluation_mode(model):
        for start in range(0, len(images), batch_size):
            target = labels[start : start + batch_size].to(device)
            logits = model(normalise(images[start : start + batch_size].to(device))).float()
            if target.max() >= logits.shape[1]:
                raise ValueError(f"the data have class {int(target.max())}, the model has {logits.shape[1]} classes")
            loss += F.cross_entropy(logits, target, reduction="sum").item()
            ranked = logits.topk(min(5, logits.shape[1]), dim=1).indices == target.unsqueeze(1)
            hits1 += int(ranked[:, 0].sum())
            hits5 += int(ranked.sum())
    seconds = time.perf_counter() - started
    return {
        "top1": 100 * hits1 / len(images),
        "top5": 100 * hits5 / len(images),
        "loss": loss / len(images),
        "images_per_second": len(images) / seconds,
        "images": len(images),
    }
