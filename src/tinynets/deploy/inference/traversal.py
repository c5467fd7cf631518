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
    """Copy a model for inference, with batch norms folded into convolutions and constant matrices precomputed.

    The copy is an equivalent function in evaluation mode, with parameters that do not require gradients; the original
    model is not changed. In any network, the layers and blocks of tinynets are replaced and all other modules are left
    unchanged, including subclasses that override `forward` and blocks whose submodules have hooks or were replaced.
    Pruned and parametrized weights become plain parameters. The copy can be moved, cast, compiled, exported and fused
    again.

    Args:
        model: a tinynets model, or any network that contains layers of tinynets.
        hard: make every gate one-hot, selecting the dilation with the largest weight at each pixel. This changes the
            function, so measure the accuracy.

    Returns:
        The fused copy.

    Raises:
        ValueError: hard is true for a model without gates, or the norm of a recursive block was replaced by one that
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
        raise ValueError(f"hard=True needs an EntropyGate, {type(model).__name__} has none")
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
    """Return an equivalent of `fuse(model)` in few standard operations: convolutions, poolings, products and sums.

    Window means are average poolings, for which runtimes have kernels. Each step of a recursion has its own weight
    tensor instead of a slice of a larger one.
    """
    return _replaced(fuse(model), portable_form, {}).eval().requires_grad_(False)


def _replaced(
    module: nn.Module, convert: Callable[[nn.Module], nn.Module], replacements: dict[nn.Module, nn.Module]
) -> nn.Module:
    """Return the module with every submodule converted; `done` caches the forms of shared modules."""
    if module not in replacements:
        replacement = convert(module)
        replacements[module] = replacements[replacement] = replacement
        for name, child in replacement._modules.items():
            if child is not None:
                replacement._modules[name] = _replaced(child, convert, replacements)
    return replacements[module]
