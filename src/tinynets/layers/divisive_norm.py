import torch
import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_eps, check_window
from tinynets.ops import divisive_norm

from .registry import register_layer

torch.fx.wrap("divisive_norm")


@register_layer
class DivisiveNorm(nn.Module):
    """Parameter-free divisive normalization by the local mean magnitude: y = x / (eps + mean_window(|x|)).

    The mean is computed per channel; at the border the window is clipped to the map.

    Args:
        kernel_size: window size in pixels, odd.
        eps: positive constant that bounds the gain at 1 / eps.
        device: ignored; accepted for a uniform layer interface.
        dtype: ignored; accepted for a uniform layer interface.

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
        check_window(kernel_size)
        check_eps(eps)
        super().__init__()
        self.kernel_size = kernel_size
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x: (N, C, H, W) -> (N, C, H, W)."""
        return divisive_norm(x, self.kernel_size, self.eps)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, eps={self.eps}"
