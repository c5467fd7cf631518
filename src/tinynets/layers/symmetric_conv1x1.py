import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_channels, check_matrix, check_positive
from tinynets.ops import pack_symmetric, symmetric_weight

from .registry import register_layer

torch.fx.wrap("check_channels")
torch.fx.wrap("check_matrix")
torch.fx.wrap("symmetric_weight")


@register_layer
class SymmetricConv1x1(nn.Module):
    """1x1 convolution with a symmetric matrix: y = W x at every pixel, W = L + L^T, no bias.

    The parameter is L itself, the packed lower triangle of channels * (channels + 1) / 2 numbers. W starts as
    I - 2 U U^T with a random orthonormal U of channels // 2 columns: symmetric, orthogonal, half of its eigenvalues
    +1 and half -1. A recursion through it keeps its norm at the start.

    Args:
        channels: channels in and out.

    Shape: (N, channels, H, W) -> (N, channels, H, W).
    """

    def __init__(self, channels: int, device=None, dtype=None) -> None:
        check_positive(channels=channels)
        super().__init__()
        self.channels = channels
        # two dimensions: timm takes one-dimensional parameters for norms and biases and spares them weight decay
        self.packed = nn.Parameter(torch.empty(1, channels * (channels + 1) // 2, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw a new symmetric orthogonal W from torch's global CPU generator."""
        if self.packed.is_meta:
            return
        basis, _ = torch.linalg.qr(torch.randn(self.channels, max(self.channels // 2, 1), dtype=torch.float64))
        basis = basis[:, : self.channels // 2]
        self.packed.copy_(pack_symmetric(torch.eye(self.channels, dtype=torch.float64) - 2 * basis @ basis.t()))

    def weight_matrix(self) -> Tensor:
        """W, shape (channels, channels)."""
        return symmetric_weight(self.packed, self.channels)

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """weight: a matrix that `weight_matrix` gave before, for recursions that apply the same one many times."""
        check_channels(x, self.channels)
        if weight is None:
            weight = self.weight_matrix()
        else:
            check_matrix(weight, self.channels)
        return F.conv2d(x, weight.unsqueeze(-1).unsqueeze(-1))

    def extra_repr(self) -> str:
        return f"{self.channels}"
