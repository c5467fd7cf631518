from collections.abc import Callable
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.optim.muon import Muon
from torch import nn

from tinynets.engine.recipes import Optimizer
from tinynets.layers import SymmetricConv1x1
from tinynets.ops import pack_symmetric, symmetric_weight


def create_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.Optimizer:
    """timm's optimizer of that name, without weight decay on norms and biases; its Muon knows symmetric matrices.

    Raises:
        ValueError: timm has no such optimizer.
    """
    optimizer = create_optimizer_v2(
        model, opt=recipe.name, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=recipe.momentum
    )
    layers = [module for module in model.modules() if isinstance(module, SymmetricConv1x1)]
    if recipe.name == "muon" and layers:
        return SymmetricMuon(optimizer.param_groups, layers, **optimizer.defaults)
    return optimizer


class SymmetricMuon(Muon):
    """timm's Muon, for nets with SymmetricConv1x1: it steps along W = L + L^T, of which their parameter packs L.

    Muon itself takes the packed numbers for no matrix and leaves them to AdamW. A step along W keeps W symmetric: the
    gradient is, and so is what orthogonalising makes of a symmetric matrix.

    Args:
        params: as of any optimizer.
        layers: whose `packed` are among the params.
        defaults: as of timm's Muon.
    """

    def __init__(self, params: Any, layers: list[SymmetricConv1x1], **defaults: Any) -> None:
        super().__init__(params, **defaults)
        self.matrices = {layer.packed: nn.Parameter(layer.weight_matrix().detach().clone()) for layer in layers}
        self.muon = Muon(list(self.matrices.values()), **defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = {packed: packed.grad for packed in self.matrices if packed.grad is not None}
        for packed, gradient in gradients.items():
            matrix = self.matrices[packed]
            matrix.copy_(symmetric_weight(packed, len(matrix)))
            matrix.grad = symmetric_weight(gradient / 2, len(matrix))
            matrix.grad.diagonal().div_(2)  # what is on the diagonal of L counts twice in W
            self.muon.state[matrix] = self.state[packed]
            packed.grad = None  # not the other parameters' optimizer's
        self.muon.param_groups = [
            {**group, "params": [self.matrices[p] for p in group["params"] if p in gradients]}
            for group in self.param_groups
        ]
        self.muon.step()
        super().step()
        for packed, gradient in gradients.items():
            packed.copy_(pack_symmetric(self.matrices[packed]).view_as(packed))
            packed.grad = gradient
        return loss
