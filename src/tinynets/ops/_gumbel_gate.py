import torch
from torch import Tensor

from ._checks import check_maps, check_tau


def gumbel_gate(logits: Tensor, tau: Tensor, training: bool, hard: bool) -> Tensor:
    """Gumbel-softmax over dim 1: softmax((logits + Gumbel noise) / tau) in training, softmax(logits) in evaluation.

    Args:
        logits: (N, K, H, W).
        tau: temperature, 0-d, positive.
        training: whether to add noise, from torch's global generator.
        hard: return one-hot weights, with the gradient of the soft ones in training (straight-through).

    Returns:
        (N, K, H, W) in the dtype of logits.

    Raises:
        ValueError: an argument has a wrong shape.

    Source: Jang et al., Categorical Reparameterization with Gumbel-Softmax, 2017 (https://arxiv.org/abs/1611.01144).

    Examples:
        >>> import torch
        >>> from tinynets.ops import gumbel_gate
        >>> logits = torch.tensor([1.0, 3.0, 2.0]).view(1, 3, 1, 1)
        >>> gumbel_gate(logits, torch.tensor(1.0), training=False, hard=True).flatten()
        tensor([0., 1., 0.])
    """
    if not torch.jit.is_tracing():
        check_maps(logits, "logits")
        check_tau(tau)
    scores = logits
    if training:
        # in fp32, where no draw is 1 and a draw of 0 gives a weight of 0; exponential_() takes five times as long
        noise = torch.rand_like(logits, dtype=torch.float32).log().neg().log()
        scores = (logits - noise) / tau
    gate = scores.softmax(dim=1)
    if hard:
        one_hot = torch.zeros_like(gate).scatter(1, gate.argmax(dim=1, keepdim=True), 1.0)
        gate = one_hot - gate.detach() + gate if training else one_hot
    return gate.to(logits.dtype)
