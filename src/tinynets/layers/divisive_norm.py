import torch
import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_odd
from tinynets.ops import divisive_norm

from .registry import register_layer

torch.fx.wrap("divisive_norm")


@register_layer
class DivisiveNorm(nn.Module):
    """Divide every value by the mean magnitude around it: y = x / (eps + mean_window(|x|)).

    The mean is taken per channel. At the border it covers the pixels inside the map only. The layer has no parameters.

    Args:
        kernel_size: side of the window in pixels, odd.
        eps: positive constant. It limits the gain where the window is close to zero.
        device: ignored; for the common interface of the layers.
        dtype: ignored; for the common interface of the layers.

    Shape: (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: kernel_size is even or eps is not positive.

    Source: Carandini and Heeger, Normalization as a canonical neural computation, 2012.

    Examples:
        >>> import torch
        >>> from tinynets.layers import DivisiveNorm
        >>> DivisiveNorm(kernel_size=3, eps=1.0)(torch.full((1, 1, 2, 2), 3.0))
        tensor([[[[0.7500, 0.7500],
                  [0.7500, 0.7500]]]])
    """

    def __init__(
        self,
        kernel_size: int = 3,
        eps: float = 1e-3,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_odd(kernel_size=kernel_size)
        if not isinstance(eps, int | float) or not eps > 0:
            raise ValueError(f"eps must be positive, got {eps!r}: a window of zeros would divide by zero")
        super().__init__()
        self.kernel_size = kernel_size
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x: (N, C, H, W) -> (N, C, H, W)."""
        return divisive_norm(x, self.kernel_size, self.eps)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, eps={self.eps}"
