import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinynets._modes import evaluation_mode
from tinynets.engine.augment import Augmenter


@torch.no_grad()
def estimate_norms(model: nn.Module, images: Tensor, normalise: Augmenter, batch_size: int) -> None:
    """Running statistics of all batch norms anew, each the plain mean over batches of clean images.

    Everything else is in evaluation mode: no dropout, no noise in gates, full depth. An average of weights has no
    statistics of its own; those that came along with it are of other weights and of augmented images. Where those
    look different to the first norm (a black border around crops), the net has learned with that, and this does harm.

    images: uint8 (N, C, H, W).
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
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
