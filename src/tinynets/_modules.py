"""Helpers for modules that are wrapped, hooked or reparameterized."""

import copy
import itertools
from typing import Any, TypeVar

import torch
from timm.utils import ModelEmaV2, ModelEmaV3
from torch import Tensor, nn
from torch._dynamo import OptimizedModule
from torch.nn.modules import module as torch_module
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

_SOURCES = ("file", "url", "hf_hub_id", "hf_hub_filename", "state_dict", "origin_url", "tag")
ModuleT = TypeVar("ModuleT", bound=nn.Module)
_WRAPPERS = (nn.DataParallel, DistributedDataParallel, ModelEmaV2, ModelEmaV3, AveragedModel)


def unwrapped(model: Any) -> Any:
    """Return the model inside torch.compile, DataParallel, DistributedDataParallel and weight-averaging wrappers."""
    while isinstance(model, (OptimizedModule, *_WRAPPERS)):
        model = model._orig_mod if isinstance(model, OptimizedModule) else model.module
    return model


def hooked(module: nn.Module) -> bool:
    """Whether the module or a submodule has forward hooks or a patched forward."""
    return any(has_forward_hooks(m) or "forward" in vars(m) for m in module.modules())


def has_forward_hooks(module: nn.Module) -> bool:
    """Whether a hook may retain the module's output, which then must not be modified in place."""
    everywhere = torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks
    return bool(module._forward_hooks or module._forward_pre_hooks or everywhere)


def copied(model: ModuleT) -> ModuleT:
    """Deep-copy a model; tensors that hooks compute from parameters (pruning, weight norm) are detached first."""
    computed = [v for m in model.modules() for v in vars(m).values() if isinstance(v, Tensor) and not v.is_leaf]
    return copy.deepcopy(model, {id(tensor): tensor.detach().clone() for tensor in computed})


def float_tensor(model: nn.Module, device: torch.device | None = None) -> Tensor:
    """Return a tensor with the model's floating-point dtype and device; fp32 on `device` if the model has neither."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return next((t for t in tensors if t.is_floating_point()), torch.empty(0, device=device))


def image_size_of(model: Any) -> tuple[int, int] | None:
    """Return a model's input size (H, W): its own `img_size`, else that of its `pretrained_cfg`, if any."""
    cfg = getattr(model, "pretrained_cfg", None) or {}
    size = getattr(model, "img_size", None) or (cfg.get("input_size") or ())[1:]
    return (size[0], size[1]) if size else None


def own_config(model: Any, **changes: Any) -> None:
    """Replace a model's `pretrained_cfg`, which timm's models share, by an updated copy without a weights source.

    `timm.data.resolve_data_config` reads it.
    """
    known = getattr(model, "pretrained_cfg", None) or {}
    cfg = {key: value for key, value in dict(known).items() if key not in _SOURCES}
    model.pretrained_cfg = model.default_cfg = cfg | changes
