"""Which of an op's formulations applies where: the rules that all ops share."""

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
    """Whether the current call computes its result at once.

    False while it is traced, compiled or transformed by torch.func, and under forward-mode differentiation.
    """
    return not (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def custom_ops_apply(x: Tensor) -> bool:
    """Whether to call torch.ops.tinynets.* for x. Callers check torch.jit.is_scripting() first.

    Not under torch.export and torch.jit.trace: their programs have to load without this package, and at other batch
    sizes. Not under torch.func, which custom ops do not support. Only on the CPU and, in eager mode, where Triton
    kernels run, since nothing is gained elsewhere.
    """
    if torch.compiler.is_compiling():
        return x.is_cpu and not torch.compiler.is_exporting() and not torch._C._are_functorch_transforms_active()
    return runs_eagerly() and (x.is_cpu or on_triton(x))


_triton_wanted = os.environ.get("TINYNETS_TRITON", "1") not in ("", "0")


def use_triton(enabled: bool = True) -> None:
    """Switch the Triton kernels on or off. They are on by default.

    The kernels run on CUDA tensors in eager mode. Without them the ops use plain PyTorch formulas. torch.compile always
    gets the plain formulas, and fuses them. The environment variable TINYNETS_TRITON=0 switches the kernels off for a
    process.

    Args:
        enabled: whether to use the kernels from now on.

    Raises:
        RuntimeError: enabled is true, and Triton is not installed.

    Examples:
        >>> from tinynets.ops import use_triton
        >>> use_triton(False)
    """
    global _triton_wanted
    if enabled and not _has_triton():
        raise RuntimeError("Triton is not installed: pip install triton, or leave use_triton off")
    _triton_wanted = enabled


def on_triton(x: Tensor) -> bool:
    """Whether x is for our Triton kernels."""
    return _triton_wanted and x.is_cuda and _has_triton()


def packable(dilations: Sequence[int]) -> bool:
    """Whether the Triton kernels accept these dilations. They receive them packed into one 64-bit number."""
    return len(dilations) <= 6 and max(dilations) < 1024


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def compiles_inference(x: Tensor) -> bool:
    """Whether a compiler gets the plain formula of a map's op, and fuses it: without gradients that is the fastest."""
    return torch.compiler.is_compiling() and not records_gradients(x)


def in_pieces(x: Tensor) -> bool:
    """Whether x can be computed piece by piece and in place: it is an ordinary tensor on the CPU in eager mode.

    Tensors that only record operations (fake, functional, traced) are subclasses of Tensor, except for Dynamo's. They
    get the form that a compiler can fuse, without loops and in-place updates. The same holds under a dispatch mode,
    such as a counter of multiply-adds, which should see the function and not its implementation.
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


PIECE = 3 << 18  # elements of a piece: 3 MB of fp32


def pieces(x: Tensor, elements: int = PIECE) -> Iterator[slice]:
    """Split a batch into slices that fit into the processor's cache.

    Args:
        x: (N, C, H, W).
        elements: the most elements of a slice; 3 MB of fp32 by default. A slice has at least one image.

    Yields:
        Slices of dim 0, all of one length except possibly the last.

    Examples:
        >>> import torch
        >>> from tinynets.ops import pieces
        >>> list(pieces(torch.zeros(5, 1, 10, 10), elements=200))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    parts = -(-x.numel() // elements)
    images = -(-x.shape[0] // max(parts, 1))
    for start in range(0, x.shape[0], max(images, 1)):
        yield slice(start, start + images)


def by_piece(function: Callable[..., Tensor], x: Tensor, *arguments: Any) -> Tensor:
    """function(x, *arguments) piece by piece. The function maps each image to one of the same shape and type."""
    if x.numel() <= PIECE:
        return function(x, *arguments)
    y = torch.empty_like(x)
    for piece in pieces(x):
        y[piece] = function(x[piece], *arguments)
    return y


def inference_pieces(x: Tensor, *parameters: Tensor) -> list[slice] | None:
    """Split a batch for a recursion that overwrites its memory, where that is possible.

    It is possible for an ordinary tensor on the CPU, in eager mode, if no gradient has to be recorded.

    Args:
        x: (N, C, H, W).
        *parameters: the parameters that the recursion uses.

    Returns:
        Slices of dim 0, or None if the batch has to be computed as a whole.

    Examples:
        >>> import torch
        >>> from tinynets.ops import inference_pieces
        >>> x = torch.zeros(4, 1, 8, 8)
        >>> inference_pieces(x), inference_pieces(x.requires_grad_())
        ([slice(0, 4, None)], None)
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
    """Register body as torch.ops.tinynets.<name>. Its schema comes from the annotations.

    torch.compile does not look into it: the forms in pieces are faster than what inductor makes of their formulas, with
    a backward pass, and compile in no time.
    """
    op: Any = custom_op(f"tinynets::{name}", body, mutates_args=())
    op.register_fake(fake)
    if backward is not None:
        op.register_autograd(backward, setup_context=setup_context)
