import torch
from torch import Tensor
from torch.nn import functional as F

from ._precision import accumulable


def local_variance(x: Tensor, kernel_size: int = 3) -> Tensor:
    """V = mean_window((x - mean_window(x))^2), per channel, the window clipped at the border; V >= 0.

    The textbook form mean(x^2) - mean(x)^2 loses every digit once |mean| >> sqrt(V). Here the variance is split by
    the law of total variance into a horizontal and a vertical pass,
    V = mean_rows(Var_columns(x)) + Var_rows(mean_columns(x)), and each pass works on differences to its centre
    pixel. The centre is part of its window, so the square of the mean difference is at most (n - 1) times the
    variance: no offset, and no edge inside the window, can make it cancel.

    Args:
        x: (N, C, H, W), any floating type; half precision is accumulated in fp32.
        kernel_size: odd side of the window in pixels.

    Returns:
        (N, C, H, W) in the type of x, in squared units of x.
    """
    radius = kernel_size // 2
    wide = accumulable(x)
    to_row_mean, row_variance = _window_moments(wide, None, radius, 3)
    _, variance_of_means = _window_moments(wide, to_row_mean, radius, 2)
    mean_of_variances = F.avg_pool2d(
        row_variance, (kernel_size, 1), stride=1, padding=(radius, 0), count_include_pad=False
    )
    return (mean_of_variances + variance_of_means).clamp(min=0).to(x.dtype)


def _window_moments(x: Tensor, residual: Tensor | None, radius: int, dim: int) -> tuple[Tensor, Tensor]:
    """Of x (+ residual) over the 2 * radius + 1 neighbours along dim (2 or 3): mean less the centre, and variance.

    The two are kept apart because a small residual would be rounded away if it were added to a large x.
    """
    size = x.shape[dim]
    reach = min(radius, size - 1)
    if reach <= 0:
        return torch.zeros_like(x), torch.zeros_like(x)

    total, square = _difference_sums(x, residual, 1, dim)
    for offset in range(2, reach + 1):
        more, more_square = _difference_sums(x, residual, offset, dim)
        total, square = total + more, square + more_square

    index = torch.arange(size, device=x.device)
    share = 1 / (index.clamp(max=radius) + (size - 1 - index).clamp(max=radius) + 1).to(x.dtype)
    if dim == 2:
        share = share.unsqueeze(1)
    shift = total * share
    return shift, square * share - shift * shift


def _difference_sums(x: Tensor, residual: Tensor | None, offset: int, dim: int) -> tuple[Tensor, Tensor]:
    """Sum, and sum of squares, of the differences from each pixel to its two neighbours offset away along dim."""
    size = x.shape[dim]
    rest = size - offset
    to_next = x.narrow(dim, offset, rest) - x.narrow(dim, 0, rest)
    if residual is not None:
        to_next = to_next + (residual.narrow(dim, offset, rest) - residual.narrow(dim, 0, rest))
    # beyond the border there is no neighbour, which a difference of zero says
    padded = F.pad(to_next, [offset, offset] if dim == 3 else [0, 0, offset, offset])
    squared = padded * padded
    total = padded.narrow(dim, offset, size) - padded.narrow(dim, 0, size)
    return total, squared.narrow(dim, offset, size) + squared.narrow(dim, 0, size)
