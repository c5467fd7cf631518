import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinynets._context import evaluation_mode
from tinynets.engine.augment import Normalize
from tinynets.engine.evaluation import evaluate

LAG = 5.0  # percentage points of accuracy


@torch.no_grad()
def update_bn(model: nn.Module, images: Tensor, normalize: Normalize, batch_size: int) -> None:
    """Recompute the running statistics of all batch norms, as the cumulative mean over batches of clean images.

    All other modules are in evaluation mode: no dropout, no gate noise, full depth. Averaged weights need this because
    the averaged statistics belong to other weights and to augmented images. However, if training inputs differ
    systematically from clean images (zero padding around crops), the model has adapted to them, and recomputed
    statistics reduce the accuracy.

    images: uint8 (N, C, H, W).
    """
    norms = _norms(model)
    momenta = [norm.momentum for norm in norms]
    with evaluation_mode(model):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's cumulative mean
            norm.train()
        for batch in images.split(batch_size):
            model(normalize(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def update_lagging_bn(
    model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalize, batch_size: int
) -> tuple[float, float] | None:
    """Recompute the running statistics if they lag behind the weights, as they do after a few dozen steps.

    They lag if `update_bn` corrects the prediction of more than 5 % of these images; otherwise they are unchanged.

    Args:
        model: the model.
        images: clean training images, uint8 (N, C, H, W).
        labels: int64 (N,).
        normalize: a `Normalize`.
        batch_size: images per batch.

    Returns:
        The accuracy in percent before and after, None if the statistics did not lag.
    """
    if not (norms := _norms(model)):
        return None
    saved = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    before = evaluate(model, images, labels, normalize, batch_size)["top1"]
    update_bn(model, images, normalize, batch_size)
    after = evaluate(model, images, labels, normalize, batch_size)["top1"]
    if after > before + LAG:
        return before, after
    for norm, buffers in zip(norms, saved, strict=True):
        for name, buffer in norm.named_buffers():
            buffer.copy_(buffers[name])
    return None


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
