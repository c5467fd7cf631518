import copy
from typing import TypeVar

import torch
from torch import nn

from tinynets.layers import EntropyGate

from .replacements import replacement

ModelT = TypeVar("ModelT", bound=nn.Module)


@torch.no_grad()
def fuse(model: ModelT, hard: bool = False) -> ModelT:
    """An equal model for inference only: batch norms folded into convolutions, matrices computed once.

    The copy is in evaluation mode and its parameters take no gradients. The model given stays as it is. Any network may
    be given: our layers and blocks in it are replaced, everywhere they are used. Other modules stay as they are, even
    if they have a method called `fuse`, and so do classes derived from ours that compute something else. A fused model
    fuses to an equal one, and can be moved, cast, compiled and exported like any other.

    Args:
        model: one of ours, or any network with our layers inside.
        hard: every gate takes one dilation a pixel, the likeliest, instead of blending them. Not the same function:
            measure the accuracy.

    Raises:
        ValueError: hard is asked of a model without gates, or the norm of a recursive block was exchanged for one that
            cannot be folded.
    """
    gates = [module for module in model.modules() if isinstance(module, EntropyGate)]
    if hard and not gates:
        raise ValueError(f"hard=True chooses between dilations, but {type(model).__name__} has no EntropyGate")
    model = copy.deepcopy(model).eval()
    if hard:
        for module in model.modules():
            if isinstance(module, EntropyGate):
                module.hard = True
    fused = _fused(model, {})
    return fused.eval().requires_grad_(False)  # pyright: ignore[reportReturnType]


def _fused(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """Module, or what takes its place; done remembers that for modules that are used in several places."""
    if module not in done:
        other = replacement(module)
        done[module] = done[other] = other
        for name, child in other._modules.items():
            if child is not None:
                other._modules[name] = _fused(child, done)
    return done[module]
