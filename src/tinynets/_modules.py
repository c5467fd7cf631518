"""What others do to modules: wrap them, hook them, compute their parameters."""

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
_HOLDERS = (nn.DataParallel, DistributedDataParallel, ModelEmaV2, ModelEmaV3, AveragedModel)


def unwrapped(model: Any) -> Any:
    """The model inside of torch.compile, DataParallel, DistributedDataParallel and running averages; else itself."""
    while isinstance(model, (OptimizedModule, *_HOLDERS)):
        model = model._orig_mod if isinstance(model, OptimizedModule) else model.module
    return model


def hooked(module: nn.Module) -> bool:
    """Whether somebody sees or changes calls of the module, or of one inside it: by a hook or another forward."""
    return any(seen(m) or "forward" in vars(m) for m in module.modules())


def seen(module: nn.Module) -> bool:
    """Whether a hook may keep the output of the module, so that it must not be overwritten."""
    everywhere = torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks
    return bool(module._forward_hooks or module._forward_pre_hooks or everywhere)


def copied(model: ModuleT) -> ModuleT:
    """A deep copy. Tensors that hooks compute from parameters (pruning, weight norm) are copied as plain numbers."""
    computed = [v for m in model.modules() for v in vars(m).values() if isinstance(v, Tensor) and not v.is_leaf]
    return copy.deepcopy(model, {id(tensor): tensor.detach().clone() for tensor in computed})


def float_tensor(model: nn.Module, device: torch.device | None = None) -> Tensor:
    """A tensor of the type that the model computes in, where the model is; fp32 on `device` if it has none."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return next((t for t in tensors if t.is_floating_point()), torch.empty(0, device=device))


def image_size_of(model: Any) -> tuple[int, int] | None:
    """The (H, W) of the images that a model takes: its own `img_size`, else that of its `pretrained_cfg`, if any."""
    cfg = getattr(model, "pretrained_cfg", None) or {}
    size = getattr(model, "img_size", None) or (cfg.get("input_size") or ())[1:]
    return (size[0], size[1]) if size else None


def own_config(model: Any, **changes: Any) -> None:
    """Give a model a `pretrained_cfg` of its own, with changes and without the source of other weights.

    timm's models share theirs, and `timm.data.resolve_data_config` reads it.
    """
    known = getattr(model, "pretrained_cfg", None) or {}
    cfg = {key: value for key, value in dict(known).items() if key not in _SOURCES}
    model.pretrained_cfg = model.default_cfg = cfg | changes
