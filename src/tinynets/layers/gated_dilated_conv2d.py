from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_positive, check_window
from tinynets.ops import gated_dilated_conv2d

from .registry import register_layer

torch.fx.wrap("gated_dilated_conv2d")


@register_layer
class GatedDilatedConv2d(nn.Module):
    """Depthwise convolution at several dilations with a shared kernel, weighted by a per-pixel gate.

    y = sum_k gate_k * depthwise_conv(x, weight, dilation=dilations[k]) + bias

    Args:
        channels: number of input and output channels.
        dilations: spacing between kernel elements in pixels, one for each channel of the gate.
        kernel_size: size of the shared kernel in pixels, odd.
        bias: whether to add a learnable bias per channel.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: x (N, channels, H, W), gate (N, len(dilations), H, W) -> (N, channels, H, W).

    Raises:
        ValueError: an argument is out of range, or an input has another shape.

    Examples:
        >>> import torch
        >>> from tinynets.layers import EntropyGate, GatedDilatedConv2d
        >>> x = torch.randn(1, 24, 8, 8)
        >>> GatedDilatedConv2d(24, dilations=(1, 2, 4))(x, EntropyGate(24)(x)).shape
        torch.Size([1, 24, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 2, 4),
        kernel_size: int = 3,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_positive(channels=channels, **{f"dilations[{i}]": d for i, d in enumerate(dilations)})
        check_window(kernel_size)
        if not dilations:
            raise ValueError("dilations must contain at least one dilation, got none")
        super().__init__()
        self.dilations = list(dilations)
        # parameters and initialization of a depthwise convolution
        conv = nn.Conv2d(channels, channels, kernel_size, groups=channels, bias=bias, device=device, dtype=dtype)
        self.weight = conv.weight
        self.bias = conv.bias

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """Convolve x (N, channels, H, W), weighted by gate (N, len(dilations), H, W). Returns (N, channels, H, W)."""
        return gated_dilated_conv2d(x, self.weight, self.bias, gate, self.dilations)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, dilations={tuple(self.dilations)}, kernel_size={self.weight.shape[-1]}"
