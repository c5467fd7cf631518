import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import check_window

from ._box_filter import (
    eager_inverse_count,
    eager_window_mean,
    eager_window_sum,
    inverse_count,
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


def local_variance(x: Tensor, kernel_size: int = 3) -> Tensor:
    """Compute the variance in a sliding window, per channel: V = mean_window((x - mean_window(x))^2) >= 0.

    At the border the window is clipped to the map.

    The textbook form mean(x^2) - mean(x)^2 suffers catastrophic cancellation when |mean| is much larger than sqrt(V).
    Here V = mean(d^2) - mean(d)^2 is computed from differences d. In eager mode on the CPU they are differences from
    the mean of the whole map, with a rounding error of about 1e-7 of mean(d^2) in fp32; elsewhere differences from the
    window's center pixel, with an error of about 1e-7 of V.

    Args:
        x: (N, C, H, W), any floating-point dtype. Half precision is accumulated in fp32.
        kernel_size: window size in pixels, odd.

    Returns:
        (N, C, H, W) in the dtype of x, in squared units of x.

    Raises:
        ValueError: an argument has a wrong shape or value.

    Examples:
        >>> import torch
        >>> from tinynets.ops import local_variance
        >>> local_variance(torch.tensor([[[[1.0, 3.0, 5.0]]]]))[..., 0]
        tensor([[[1.]]])
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_window(kernel_size)
    if not torch.jit.is_scripting():
        if in_chunks(x) and not records_gradients(x):
            return by_chunk(_chunk, x, kernel_size)
        if compiles_inference(x):
            return (_forward if torch.compiler.is_exporting() else _centered_on_map)(x, kernel_size)
        if custom_ops_apply(x):
            return torch.ops.tinynets.local_variance(x, kernel_size)
    return _forward(x, kernel_size)


def _forward(x: Tensor, kernel_size: int) -> Tensor:
    """Reference formula for autograd, compilers and exporters."""
    shift, square = _centered_moments(upcast(x), kernel_size)
    return (square - shift * shift).clamp(min=0).to(x.dtype)


def _centered_on_map(x: Tensor, kernel_size: int) -> Tensor:
    """`_forward` with d = x - mean_map(x), as in eager mode, which has fewer operations to compile."""
    wide = upcast(x)
    difference = wide - wide.mean((2, 3), keepdim=True)
    mean, square = (window_mean(d, kernel_size) for d in (difference, difference * difference))
    return (square - mean * mean).clamp(min=0).to(x.dtype)


def _centered_moments(x: Tensor, kernel_size: int) -> tuple[Tensor, Tensor]:
    """Compute mean(d) and mean(d^2) over the window, where d is the difference from its center."""
    radius = kernel_size // 2
    height, width = x.shape[2], x.shape[3]
    padding = [radius, radius, radius, radius]
    padded = F.pad(x, padding)
    inside = F.pad(torch.ones(height, width, dtype=x.dtype, device=x.device), padding)
    shift, square = torch.zeros_like(x), torch.zeros_like(x)
    for i in range(kernel_size):
        for j in range(kernel_size):
            if i != radius or j != radius:
                neighbor = padded.narrow(2, i, height).narrow(3, j, width)
                difference = (neighbor - x) * inside.narrow(0, i, height).narrow(1, j, width)
                shift, square = shift + difference, square + difference * difference
    inverse = inverse_count(x, kernel_size)
    return shift * inverse, square * inverse


def _chunk(x: Tensor, kernel_size: int) -> Tensor:
    """`_centered_on_map` for eager mode on the CPU."""
    difference = _centered(x)
    mean = eager_window_mean(difference, kernel_size)
    variance = eager_window_mean(difference.square_(), kernel_size).addcmul_(mean, mean, value=-1)
    return variance.relu_().to(x.dtype)


def _centered(x: Tensor) -> Tensor:
    """Compute d = x - mean_map(x) in the accumulation dtype."""
    wide = upcast(x)
    return wide - F.avg_pool2d(wide, wide.shape[2:])


def _run(x: Tensor, kernel_size: int) -> Tensor:
    if on_triton(x):
        from ._triton.local_variance import forward

        return forward(x, kernel_size)
    return by_chunk(_chunk, x, kernel_size)


def _run_backward(grad: Tensor, x: Tensor, kernel_size: int) -> Tensor:
    """On the CPU: grad_x = d * sum(u) - sum(u * mean(d)), u = 2 * grad / count."""
    if on_triton(x):
        from ._triton.local_variance import backward

        return backward(grad, x, kernel_size)
    grad_x = torch.empty_like(x)
    inverse = eager_inverse_count(x, kernel_size)
    for chunk in chunks(x):
        difference = _centered(x[chunk])
        weight = upcast(grad[chunk]) * (2 * inverse)
        weighted_mean = eager_window_mean(difference, kernel_size).mul_(weight)
        total = difference.mul_(eager_window_sum(weight, kernel_size))
        torch.sub(total, eager_window_sum(weighted_mean, kernel_size), out=grad_x[chunk])
    return grad_x


def _setup(ctx, inputs, output) -> None:
    x, ctx.kernel_size = inputs
    ctx.save_for_backward(x)


def _autograd(ctx, grad: Tensor):
    (x,) = ctx.saved_tensors
    return torch.ops.tinynets.local_variance_backward(grad, x, ctx.kernel_size), None


define_op("local_variance", _run, lambda x, kernel_size: torch.empty_like(x), _autograd, _setup)
define_op("local_variance_backward", _run_backward, lambda grad, x, kernel_size: torch.empty_like(x))
