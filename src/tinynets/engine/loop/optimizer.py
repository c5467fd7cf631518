from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import timm.optim.muon
import torch
from timm.optim import create_optimizer_v2
from torch import nn
from torch.optim.adamw import adamw

from tinynets.engine.recipes import Optimizer
from tinynets.layers import SymmetricConv1x1
from tinynets.ops import pack_symmetric, symmetric_weight


def create_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.Optimizer:
    """Create timm's optimizer of that name, without weight decay on norms and biases. "muon" is the class `Muon` below.

    Raises:
        ValueError: timm has no such optimizer.
    """
    momentum = 0.9 if recipe.inertia is None else recipe.inertia  # timm ignores it for optimizers without momentum
    optimizer = create_optimizer_v2(
        model, opt=recipe.name, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=momentum
    )
    if recipe.name != "muon":
        return optimizer
    layers = [module for module in model.modules() if isinstance(module, SymmetricConv1x1)]
    precision = torch.float32 if recipe.muon_precision == "fp32" else torch.bfloat16
    adamw_scale = 1.0 if recipe.adamw_lr is None else recipe.adamw_lr / recipe.lr
    return Muon(optimizer.param_groups, layers, precision, adamw_scale, **optimizer.defaults)


class Muon(timm.optim.muon.Muon):
    """timm's Muon with a choice of precision, which also updates the symmetric matrices of SymmetricConv1x1.

    The parameter of such a layer packs L, with W = L + L^T. timm's Muon sees packed numbers instead of a matrix and
    leaves them to AdamW. Here the update is made on W. W stays symmetric, because its gradient is symmetric and an
    orthogonalised symmetric matrix is symmetric.

    Args:
        params: as of any optimizer.
        layers: the layers whose `packed` are among the params; may be empty.
        precision: type of the Newton-Schulz iteration that orthogonalises.
        adamw_scale: learning rate of the parameters that are left to AdamW, as a factor on lr.
        **defaults: as of timm's Muon.
    """

    def __init__(
        self,
        params: Any,
        layers: list[SymmetricConv1x1],
        precision: torch.dtype,
        adamw_scale: float = 1.0,
        **defaults: Any,
    ) -> None:
        super().__init__(params, **defaults)
        self.precision, self.adamw_scale = precision, adamw_scale
        self.matrices = {layer.packed: nn.Parameter(layer.weight_matrix().detach().clone()) for layer in layers}
        if layers:
            self.muon = timm.optim.muon.Muon(list(self.matrices.values()), **defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with _newton_schulz_in(self.precision), _fused_adamw():
            self._step()
        return loss

    def _scale_adamw(self) -> None:
        for group in self.param_groups:
            if "fallback_lr_scale" in group:
                group["fallback_lr_scale"] = self.adamw_scale
            else:  # older timm: its AdamW ignores the schedule
                group["adamw_lr"] = self.adamw_scale * group["lr"]

    def _step(self) -> None:
        self._scale_adamw()
        gradients = {packed: packed.grad for packed in self.matrices if packed.grad is not None}
        for packed, gradient in gradients.items():
            matrix = self.matrices[packed]
            matrix.copy_(symmetric_weight(packed, len(matrix)))
            matrix.grad = symmetric_weight(gradient / 2, len(matrix))
            matrix.grad.diagonal().div_(2)  # the diagonal of L counts twice in W
            self.muon.state[matrix] = self.state[packed]
            packed.grad = None  # so that the base class skips this parameter
        if gradients:
            self.muon.param_groups = [
                {**group, "params": [self.matrices[p] for p in group["params"] if p in gradients]}
                for group in self.param_groups
            ]
            self.muon.step()
        super().step()
        for packed, gradient in gradients.items():
            packed.copy_(pack_symmetric(self.matrices[packed]).view_as(packed))
            packed.grad = gradient


@contextmanager
def _newton_schulz_in(dtype: torch.dtype) -> Iterator[None]:
    """timm's Muon always iterates in bf16. Inside, the default type of its function is changed."""
    original = timm.optim.muon.zeropower_via_newtonschulz
    timm.optim.muon.zeropower_via_newtonschulz = partial(original, dtype=dtype)
    try:
        yield
    finally:
        timm.optim.muon.zeropower_via_newtonschulz = original


@contextmanager
def _fused_adamw() -> Iterator[None]:
    """Inside, capturable groups use torch's fused AdamW. timm's makes a dozen calls per parameter where rates are
    tensors. Other groups keep timm's: their step counts are on the CPU, which the fused one refuses.
    """
    original = timm.optim.muon.adamw

    def fused(*tensors: Any, **options: Any) -> None:
        if not options.get("capturable"):
            original(*tensors, **options)
            return
        known = {name: value for name, value in options.items() if name not in ("caution", "foreach", "max_lr")}
        adamw(*tensors, fused=True, **known)

    timm.optim.muon.adamw = fused
    try:
        yield
    finally:
        timm.optim.muon.adamw = original
