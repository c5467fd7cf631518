import torch
from torch import Tensor

from tinynets._checks import check_eps, check_window

from ._box_filter import (
    eager_inverse_count,
    eager_window_mean,
    eager_window_sum,
    upcast,
    window_mean,
)
from ._checks import check_maps
from ._dispatch import (
    by_chunk,
    chunks,
    compiles_inference,
    custom_ops_apply,
    define_op,
    in_chunks,
    on_triton,
    records_gradients,
)


def divisive_norm(x: Tensor, kernel_size: int = 3, eps: float = 1e-3) -> Tensor:
    """Divisive normalization by the local mean magnitude: y = x / (eps + mean_window(|x|)).

    The mean is computed per channel; at the border the window is clipped to the map.

    Args:
        x: (N, C, H, W), any floating-point dtype. Half precision is accumulated in fp32.
        kernel_size: window size in pixels, odd.
        eps: positive constant that bounds the gain at 1 / eps.

    Returns:
        (N, C, H, W) in the dtype of x.

    Raises:
        ValueError: an argument has a wrong shape or value.

    Source: Carandini and Heeger, Normalization as a canonical neural computation, 2012.

    Examples:
        >>> import torch
        >>> from tinynets.ops import divisive_norm
        >>> divisive_norm(torch.full((1, 1, 1, 2), 3.0), eps=1.0)
        tensor([[[[0.7500, 0.7500]]]])
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_window(kernel_size)
        check_eps(eps)
    if not torch.jit.is_scripting():
        if in_chunks(x) and not records_gradients(x):
            return by_chunk(_divided, x, kernel_size, eps)
        if custom_ops_apply(x) and not compiles_inference(x):
            return torch.ops.tinynets.divisive_norm(x, kernel_size, eps)
    return _forward(x, kernel_size, eps)


def _forward(x: Tensor, kernel_size: int, eps: float) -> Tensor:
    wide = upcast(x)
    return (wide / (window_mean(wide.abs(), kernel_size) + eps)).to(x.dtype)


def _run(x: Tensor, kernel_size: int, eps: float) -> Tensor:
    if on_triton(x):
        from ._triton.divisive_norm import forward

        return forward(x, kernel_size, eps)
    return by_chunk(_divided, x, kernel_size, eps)


def _divided(x: Tensor, kernel_size: int, eps: float) -> Tensor:
    """`_forward` for eager mode on the CPU."""
    wide = upcast(x)
    divisor = _divisor(wide, kernel_size, eps)
    return torch.div(wide, divisor, out=divisor).to(x.dtype)


def _divisor(x: Tensor, kernel_size: int, eps: float) -> Tensor:
    """eps + mean(|x|)."""
    return eager_window_mean(x.abs(), kernel_size).add_(eps)


def _run_backward(grad: Tensor, x: Tensor, kernel_size: int, eps: float) -> Tensor:
    """With d = eps + mean(|x|): grad / d - sign(x) * sum over the windows that x is in of (grad * x / d^2 / count)."""
    if on_triton(x):
        from ._triton.divisive_norm import backward

        return backward(grad, x, kernel_size, eps)
    grad_x = torch.empty_like(x)
    inverse = eager_inverse_count(x, kernel_size)
    for chunk in chunks(x):
        wide = upcast(x[chunk])
        scale = _divisor(wide, kernel_size, eps).reciprocal_()
        direct = upcast(grad[chunk]) * scale
        through_mean = scale.mul_(direct).mul_(wide).mul_(inverse)
        through_mean = eager_window_sum(through_mean, kernel_size).mul_(wide.sign())
        torch.sub(direct, through_mean, out=grad_x[chunk])
    return grad_x


def _setup(ctx, inputs, output) -> None:
    x, ctx.kernel_size, ctx.eps = inputs
    ctx.save_for_backward(x)


def _autograd(ctx, grad: Tensor):
    (x,) = ctx.saved_tensors
    return torch.ops.tinynets.divisive_norm_backward(grad, x, ctx.kernel_size, ctx.eps), None, None


define_op("divisive_norm", _run, lambda x, kernel_size, eps: torch.empty_like(x), _autograd, _setup)
define_op("divisive_norm_backward", _run_backward, lambda grad, x, kernel_size, eps: torch.empty_like(x))
