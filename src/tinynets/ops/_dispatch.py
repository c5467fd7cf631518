"""Which of an op's formulations applies where: the rules that all ops share."""

from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.library import triton_op


def custom_ops_apply() -> bool:
    """Whether torch.ops.tinynets.* may be called: not in torch.export, whose programs have to load without this
    package, nor under torch.func, which custom ops do not support. Callers ask torch.jit.is_scripting() before."""
    return not torch.compiler.is_exporting() and not torch._C._are_functorch_transforms_active()


def on_triton(x: Tensor) -> bool:
    """Whether x lies where our Triton kernels run."""
    return x.is_cuda and _has_triton()


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def in_pieces(x: Tensor) -> bool:
    """Whether to work through the batch in place, piece by piece: an ordinary tensor on the CPU.

    Tensors that only record what is done to them (fake, functional, traced) are subclasses, but for Dynamo's. They get
    the form that a compiler fuses: no loop over pieces, nothing in place. So does everything under a mode that looks at
    each op, such as a counter of multiply-adds: it is to see the function, not the tricks.
    """
    watched = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0
    return not watched and type(x) in (Tensor, torch.nn.Parameter) and x.device.type == "cpu"


def records_gradients(*tensors: Tensor) -> bool:
    """Whether autograd will follow what is done with these."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def pieces(x: Tensor, elements: int = 3 << 18) -> Iterator[slice]:
    """Equal slices of the batch of at most so many elements (3 MB of fp32) or one image: their temporaries stay in the
    cache, and the heap uses the same memory for each."""
    parts = -(-x.numel() // elements)
    images = -(-x.shape[0] // max(parts, 1))
    for start in range(0, x.shape[0], max(images, 1)):
        yield slice(start, start + images)


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
