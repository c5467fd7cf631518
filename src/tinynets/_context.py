"""Context managers that change global settings temporarily."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn


@contextmanager
def plain_defaults() -> Iterator[None]:
    """Set the default dtype to fp32 and the default device to the CPU."""
    dtype = torch.get_default_dtype()
    on_cpu = torch.empty(0).is_cpu  # torch.get_default_device() fails in torch 2.7 after set_default_device(None)
    with nullcontext() if on_cpu else torch.device("cpu"):
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            if dtype != torch.float32:
                torch.set_default_dtype(dtype)


@contextmanager
def preserve_rng_state(device: torch.device) -> Iterator[None]:
    """Restore the state of torch's global generators (the CPU's and the device's) on exit."""
    before = torch.default_generator.get_state()
    module = None if device.type in ("cpu", "meta") else torch.get_device_module(device)
    args = (device,) if device.type == "cuda" else ()
    on_device = None if module is None else module.get_rng_state(*args)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
        if module is not None:
            module.set_rng_state(on_device, *args)


@contextmanager
def cudnn_benchmark(device: torch.device) -> Iterator[None]:
    """Enable torch.backends.cudnn.benchmark; a no-op unless device is a CUDA device."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Set evaluation mode, and restore the mode of every submodule on exit."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
