import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_odd
from tinynets.ops import divisive_norm

from .registry import register_layer

torch.fx.wrap("divisive_norm")


@register_layer
class DivisiveNorm(nn.Module):
    """y = x / (eps + mean_window(|x|)), per channel, the window clipped at the border. No parameters.

    Args:
        kernel_size: odd side of the window in pixels.
        eps: positive; bounds the gain where the window is silent.

    Shape: (N, C, H, W) -> (N, C, H, W).
    Source: Carandini and Heeger, Normalization as a canonical neural computation, 2012.
    """

    def __init__(self, kernel_size: int = 3, eps: float = 1e-3, device=None, dtype=None) -> None:
        check_odd(kernel_size=kernel_size)
        if not isinstance(eps, int | float) or not eps > 0:
            raise ValueError(f"eps must be positive, got {eps!r}: a silent window would divide by zero")
        super().__init__()
        self.kernel_size = kernel_size
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return divisive_norm(x, self.kernel_size, self.eps)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, eps={self.eps}"
