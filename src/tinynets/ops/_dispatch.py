"""Which of an op's formulations applies where: the rules that all ops share."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.library import triton_op


def runs_eagerly() -> bool:
    """Whether what is called now is computed now, and not recorded as a program, transformed by torch.func or
    differentiated forward."""
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not recorded and not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0


def custom_ops_apply(x: Tensor) -> bool:
    """Whether torch.ops.tinynets.* may be called and gain something. Callers ask torch.jit.is_scripting() before.

    Not in torch.export and torch.jit.trace, whose programs have to load without this package and at other batch sizes,
    nor under torch.func, which custom ops do not support. In eager mode they gain on the CPU and with Triton's kernels.
    """
    if torch.compiler.is_compiling():
        return not torch.compiler.is_exporting() and not torch._C._are_functorch_transforms_active()
    return runs_eagerly() and (x.device.type == "cpu" or on_triton(x))


_triton_wanted = os.environ.get("TINYNETS_TRITON", "1") not in ("", "0")


def use_triton(enabled: bool = True) -> None:
    """Let the ops run our Triton kernels on CUDA tensors in eager mode, as they do by default, or not.

    Without them CUDA tensors get the plain formulas. torch.compile always gets those, and fuses them. The environment
    variable TINYNETS_TRITON=0 does the same for a whole process.

    Args:
        enabled: whether to use them from now on.

    Raises:
        RuntimeError: enabled, and Triton is not installed.

    Example:
        >>> use_triton(False)
    """
    global _triton_wanted
    if enabled and not _has_triton():
        raise RuntimeError("Triton is not installed: pip install triton, or leave use_triton off")
    _triton_wanted = enabled


def on_triton(x: Tensor) -> bool:
    """Whether x is for our Triton kernels."""
    return _triton_wanted and x.is_cuda and _has_triton() and not torch.compiler.is_compiling()


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def in_pieces(x: Tensor) -> bool:
    """Whether to work through the batch in place, piece by piece: an ordinary tensor on the CPU.

    Tensors that only record what is done to them (fake, functional, traced) are subclasses, but for Dynamo's. They get
    the form that a compiler fuses: no loop over pieces, nothing in place. So does everything under a mode that looks at
    each op, such as a counter of multiply-adds: it is to see the function, not the tricks.
    """
    watched = not runs_eagerly() or torch._C._len_torch_dispatch_stack() > 0
    return not watched and type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu"


def records_gradients(*tensors: Tensor | None) -> bool:
    """Whether autograd will follow what is done with these."""
    return torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)


def pieces(x: Tensor, elements: int = 3 << 18) -> Iterator[slice]:
    """Equal slices of the batch of at most so many elements (3 MB of fp32) or one image: their temporaries stay in the
    cache, and the heap uses the same memory for each."""
    parts = -(-x.numel() // elements)
    images = -(-x.shape[0] // max(parts, 1))
    for start in range(0, x.shape[0], max(images, 1)):
        yield slice(start, start + images)


def inference_pieces(x: Tensor, *parameters: Tensor) -> list[slice] | None:
    """Slices of the batch for a recursion to run through one after the other, in place; None where it has to run whole.

    In place and in pieces means an ordinary tensor on the CPU in eager mode, and no gradients to record.
    """
    if in_pieces(x) and not records_gradients(x, *parameters):
        return list(pieces(x))
    return None


def define_op(
    name: str,
    body: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., None] | None = None,
) -> None:
    """Make body torch.ops.tinynets.<name>, its schema taken from the annotations.

    A triton_op is opaque in eager mode and transparent to torch.compile, which traces the body.
    """
    op: Any = triton_op(f"tinynets::{name}", body, mutates_args={})
    op.register_fake(fake)
    if backward is not None:
        op.register_autograd(backward, setup_context=setup_context)
