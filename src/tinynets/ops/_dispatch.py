"""Rules, shared by all ops, that select the implementation of an op."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.library import custom_op
from torch.nn import Parameter


def runs_eagerly() -> bool:
    """Whether the call runs eagerly: not traced, compiled, transformed by torch.func or under forward-mode AD."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def custom_ops_apply(x: Tensor) -> bool:
    """Whether to call torch.ops.tinynets.* for x. Callers check torch.jit.is_scripting() first.

    Custom ops are excluded under torch.export and torch.jit.trace, whose programs must load without this package and
    run at other batch sizes, and under torch.func, which custom ops do not support. They are only faster on the CPU
    and, in eager mode, where Triton kernels run.
    """
    if torch.compiler.is_compiling():
        return x.is_cpu and not torch.compiler.is_exporting() and not torch._C._are_functorch_transforms_active()
    return runs_eagerly() and (x.is_cpu or on_triton(x))


_triton_enabled = os.environ.get("TINYNETS_TRITON", "1") not in ("", "0")


def use_triton(enabled: bool = True) -> None:
    """Enable or disable the Triton kernels, which are enabled by default.

    The kernels run on CUDA tensors in eager mode; otherwise the ops use their PyTorch implementations, which
    torch.compile fuses. The environment variable TINYNETS_TRITON=0 disables the kernels at import.

    Args:
        enabled: whether to use the kernels.

    Raises:
        RuntimeError: enabled is true and Triton is not installed.

    Examples:
        >>> from tinynets.ops import use_triton
        >>> use_triton(False)
    """
    global _triton_enabled
    if enabled and not _has_triton():
        raise RuntimeError("Triton is not installed: pip install triton, or leave use_triton off")
    _triton_enabled = enabled


def on_triton(x: Tensor) -> bool:
    """Whether the Triton kernels apply to x."""
    return _triton_enabled and x.is_cuda and _has_triton()


def packable(dilations: Sequence[int]) -> bool:
    """Whether the Triton kernels support these dilations, which are passed packed into one 64-bit integer."""
    return len(dilations) <= 6 and min(dilations) > 0 and max(dilations) < 1024


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def compiles_inference(x: Tensor) -> bool:
    """Whether to use the PyTorch formula for a compiler to fuse, which is the fastest form without gradients."""
    return torch.compiler.is_compiling() and not records_gradients(x)


def in_chunks(x: Tensor) -> bool:
    """Whether x, an ordinary CPU tensor in eager mode, can be processed in chunks and in place.

    Tensor subclasses that only record operations (fake, functional, traced) use the form without loops and in-place
    updates, which compilers can fuse. So do calls under a dispatch mode, such as a FLOP counter, which should count the
    function rather than its implementation.
    """
    ordinary = (type(x) is Tensor or type(x) is Parameter) and x.is_cpu
    return ordinary and runs_eagerly() and torch._C._len_torch_dispatch_stack() == 0


def records_gradients(*tensors: Tensor | None) -> bool:
    """Whether autograd records operations on these tensors."""
    if torch.is_grad_enabled():
        for tensor in tensors:
            if tensor is not None and tensor.requires_grad:
                return True
    return False


CHUNK = 3 << 18  # elements of a chunk: 3 MB in fp32


def chunks(x: Tensor, elements: int = CHUNK) -> Iterator[slice]:
    """Split a batch into chunks that fit into the CPU cache.

    Args:
        x: (N, C, H, W).
        elements: maximum number of elements per chunk, by default 3 MB of fp32; a chunk has at least one image.

    Yields:
        Slices of dim 0, of equal length except possibly the last.

    Examples:
        >>> import torch
        >>> from tinynets.ops import chunks
        >>> list(chunks(torch.zeros(5, 1, 10, 10), elements=200))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    parts = -(-x.numel() // elements)
    images = -(-x.shape[0] // max(parts, 1))
    for start in range(0, x.shape[0], max(images, 1)):
        yield slice(start, start + images)


def by_chunk(function: Callable[..., Tensor], x: Tensor, *arguments: Any) -> Tensor:
    """Compute function(x, *arguments) in chunks; the function preserves the shape and dtype of each image."""
    if x.numel() <= CHUNK:
        return function(x, *arguments)
    y = torch.empty_like(x)
    for chunk in chunks(x):
        y[chunk] = function(x[chunk], *arguments)
    return y


def inference_chunks(x: Tensor, *parameters: Tensor) -> list[slice] | None:
    """Split a batch into chunks for an in-place recursion over an ordinary CPU tensor, in eager mode without autograd.

    Args:
        x: (N, C, H, W).
        *parameters: parameters of the recursion.

    Returns:
        Slices of dim 0, or None if the batch has to be processed as a whole and out of place.

    Examples:
        >>> import torch
        >>> from tinynets.ops import inference_chunks
        >>> x = torch.zeros(4, 1, 8, 8)
        >>> inference_chunks(x), inference_chunks(x.requires_grad_())
        ([slice(0, 4, None)], None)
    """
    if in_chunks(x) and not records_gradients(x, *parameters):
        return list(chunks(x))
    return None


def define_op(
    name: str,
    body: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    setup_context: Callable[..., None] | None = None,
) -> None:
    """Register body as torch.ops.tinynets.<name>, with the schema of its annotations.

    The op is opaque to torch.compile: with a backward pass the chunked implementations are faster than inductor's code
    for the formulas, and need no compilation.
    """
    op: Any = custom_op(f"tinynets::{name}", body, mutates_args=())
    op.register_fake(fake)
    if backward is not None:
        op.register_autograd(backward, setup_context=setup_context)
