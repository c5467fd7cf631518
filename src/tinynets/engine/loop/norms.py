import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinynets._modes import evaluation_mode
from tinynets.engine.augment import Augmenter
from tinynets.engine.evaluation import evaluate

LAG = 5.0  # percent of the images


@torch.no_grad()
def estimate_norms(model: nn.Module, images: Tensor, normalise: Augmenter, batch_size: int) -> None:
    """Running statistics of all batch norms anew, each the plain mean over batches of clean images.

    Everything else is in evaluation mode: no dropout, no noise in gates, full depth. An average of weights has no
    statistics of its own; those that came along with it are of other weights and of augmented images. Where those
    look different to the first norm (a black border around crops), the net has learned with that, and this does harm.

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
            model(normalise(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.no_grad()
def mend_lagging_norms(
    model: nn.Module, images: Tensor, labels: Tensor, normalise: Augmenter, batch_size: int
) -> tuple[float, float] | None:
    """Running statistics anew where they lag behind the weights, as they do after a few dozen steps.

    They do if `estimate_norms` makes more than 5 % more of these images right; else everything stays as it is.

    images, labels: clean training images, uint8 (N, C, H, W), and int64 (N,).

    Returns:
        The accuracy before and after in percent, None if they did not lag.
    """
    if not (norms := _norms(model)):
        return None
    kept = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    before = evaluate(model, images, labels, normalise, batch_size)["top1"]
    estimate_norms(model, images, normalise, batch_size)
    after = evaluate(model, images, labels, normalise, batch_size)["top1"]
    if after > before + LAG:
        return before, after
    for norm, buffers in zip(norms, kept, strict=True):
        for name, buffer in norm.named_buffers():
            buffer.copy_(buffers[name])
    return None


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
