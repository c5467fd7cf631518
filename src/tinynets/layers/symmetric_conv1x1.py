import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_positive, check_shape
from tinynets.ops import pack_symmetric, symmetric_weight

from .registry import register_layer

torch.fx.wrap("check_shape")
torch.fx.wrap("symmetric_weight")


@register_layer
class SymmetricConv1x1(nn.Module):
    """1x1 convolution with a symmetric weight matrix and no bias: y = W x at every pixel, W = L + L^T.

    The parameter is the packed lower triangle L of channels * (channels + 1) / 2 elements, about half as many as those
    of a dense 1x1 convolution. W is initialized to I - 2 U U^T, where U has channels // 2 random orthonormal columns.
    This matrix is symmetric and orthogonal, and half of its eigenvalues are +1 and half are -1, so that repeated
    application preserves the norm of the input.

    Args:
        channels: number of input and output channels.
        device: device of the parameter.
        dtype: floating-point type of the parameter.

    Shape: (N, channels, H, W) -> (N, channels, H, W).

    Raises:
        ValueError: channels is not positive, or a given weight has another shape.

    Examples:
        >>> import torch
        >>> from tinynets.layers import SymmetricConv1x1
        >>> mix = SymmetricConv1x1(4)
        >>> w = mix.weight_matrix()
        >>> torch.equal(w, w.t()), torch.allclose(w @ w, torch.eye(4), atol=1e-5)
        (True, True)
    """

    def __init__(
        self, channels: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        check_positive(channels=channels)
        super().__init__()
        self.channels = channels
        # 2-D, because timm applies no weight decay to 1-D parameters
        self.packed = nn.Parameter(torch.empty(1, channels * (channels + 1) // 2, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Sample a new symmetric orthogonal W from torch's global CPU generator."""
        if self.packed.is_meta:
            return
        basis, _ = torch.linalg.qr(torch.randn(self.channels, max(self.channels // 2, 1), dtype=torch.float64))
        basis = basis[:, : self.channels // 2]
        self.packed.copy_(pack_symmetric(torch.eye(self.channels, dtype=torch.float64) - 2 * basis @ basis.t()))

    def weight_matrix(self) -> Tensor:
        """Compute W from the packed parameter.

        Returns:
            (channels, channels), symmetric.
        """
        return symmetric_weight(self.packed, self.channels)

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Multiply the channel vector of every pixel by W.

        Args:
            x: (N, channels, H, W).
            weight: precomputed result of `weight_matrix`, (channels, channels), shared by the steps of a recursion;
                None to compute it in this call.

        Returns:
            (N, channels, H, W).
        """
        if weight is None:
            weight = self.weight_matrix()
        elif not torch.jit.is_tracing():
            check_shape(weight, "weight", [self.channels, self.channels], x)
        return F.conv2d(x, weight.unsqueeze(-1).unsqueeze(-1))

    def extra_repr(self) -> str:
        return f"{self.channels}"
