from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from tinynets._modules import copied, own_config, unwrapped
from tinynets.layers import EntropyGate

from .replacements import fused_form, portable_form

ModelT = TypeVar("ModelT", bound=nn.Module)


@torch.no_grad()
def fuse(model: ModelT, hard: bool = False) -> ModelT:
    """Copy a model for inference: batch norms are folded into convolutions, constant matrices are computed once.

    The copy computes the same logits. It is in evaluation mode, and its parameters take no gradients. The given model
    is not changed. It can be any network: our layers and blocks inside it are replaced, all other modules stay as they
    are. So do classes derived from ours that compute something else, and blocks with parts that have hooks or were
    replaced. Pruned and parametrized weights become plain ones. The copy can be moved, cast, compiled, exported and
    fused again.

    Args:
        model: one of our models, or any network with our layers inside.
        hard: make every gate choose the dilation with the largest weight at each pixel, instead of a blend. This is
            another function: measure its accuracy.

    Returns:
        The fused copy.

    Raises:
        ValueError: hard is asked of a model without gates, or the norm of a recursive block was replaced by one that
            cannot be folded.

    Examples:
        >>> import torch, tinynets
        >>> model = tinynets.create_model("c1c2c3c4o_cifar10", pretrained=True).eval()
        >>> image = torch.randn(1, 3, 32, 32)
        >>> torch.allclose(tinynets.fuse(model)(image), model(image), atol=1e-3)
        True
    """
    from torch.nn.utils import prune

    model = unwrapped(model)
    gates = [module for module in model.modules() if isinstance(module, EntropyGate)]
    if hard and not gates:
        raise ValueError(f"hard=True chooses between dilations, but {type(model).__name__} has no EntropyGate")
    model = copied(model).eval()
    own_config(model)
    for module in model.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)
    if hard:
        for module in model.modules():
            if isinstance(module, EntropyGate):
                module.hard = True
    fused = _replaced(model, fused_form, {})
    return fused.eval().requires_grad_(False)  # pyright: ignore[reportReturnType]


def portable(model: nn.Module) -> nn.Module:
    """`fuse(model)`, rewritten in few standard operations: convolutions, poolings, products and sums.

    It computes the same function. Window means are average poolings, which runtimes have kernels for. Each step of a
    recursion has its own weight tensor instead of a slice of a larger one.
    """
    return _replaced(fuse(model), portable_form, {}).eval().requires_grad_(False)


def _replaced(module: nn.Module, form: Callable[[nn.Module], nn.Module], done: dict[nn.Module, nn.Module]) -> nn.Module:
    """The module with every part in another form. `done` remembers the forms of modules that are used in several
    places.
    """
    if module not in done:
        other = form(module)
        done[module] = done[other] = other
        for name, child in other._modules.items():
            if child is not None:
                other._modules[name] = _replaced(child, form, done)
    return done[module]
