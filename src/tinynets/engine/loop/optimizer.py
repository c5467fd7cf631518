import torch
from timm.optim import create_optimizer_v2
from torch import nn

from tinynets.engine.recipes import Optimizer
from tinynets.layers import SymmetricConv1x1

from .muon import Muon


def create_optimizer(model: nn.Module, recipe: Optimizer) -> torch.optim.Optimizer:
    """Create timm's optimizer of that name, or `Muon` for "muon", without weight decay on norms and biases.

    Raises:
        ValueError: timm has no such optimizer.
    """
    momentum = 0.9 if recipe.used_momentum is None else recipe.used_momentum  # ignored by optimizers without one
    name = "sgd" if recipe.name == "muon" else recipe.name
    optimizer = create_optimizer_v2(model, opt=name, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=momentum)
    if recipe.name != "muon":
        return optimizer
    groups = [{key: group[key] for key in ("params", "weight_decay")} for group in optimizer.param_groups]
    symmetric = {m.packed: m.channels for m in model.modules() if isinstance(m, SymmetricConv1x1)}
    precision = torch.float32 if recipe.muon_precision == "fp32" else torch.bfloat16
    return Muon(groups, recipe.lr, momentum, precision, symmetric)
