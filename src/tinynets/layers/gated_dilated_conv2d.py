from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from tinynets._checks import check_odd, check_positive
from tinynets.ops import gated_dilated_conv2d

from .registry import register_layer

torch.fx.wrap("gated_dilated_conv2d")


@register_layer
class GatedDilatedConv2d(nn.Module):
    """y = sum_k gate_k * depthwise_conv(x, weight, dilation=dilations[k]): one kernel, several scales, a gate a pixel.

    Args:
        channels: channels in and out.
        dilations: spacing of the taps in pixels, one per gate channel.
        kernel_size: odd side of the shared kernel.
        bias: add one number per channel.

    Shape: x (N, channels, H, W), gate (N, len(dilations), H, W) -> (N, channels, H, W).
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 2, 4),
        kernel_size: int = 3,
        bias: bool = False,
        device=None,
        dtype=None,
    ) -> None:
        check_positive(channels=channels, **{f"dilations[{i}]": d for i, d in enumerate(dilations)})
        check_odd(kernel_size=kernel_size)
        if not dilations:
            raise ValueError("dilations must name at least one dilation, got none")
        super().__init__()
        self.dilations = list(dilations)
        # a depthwise convolution lends its parameters and their initialisation
        conv = nn.Conv2d(channels, channels, kernel_size, groups=channels, bias=bias, device=device, dtype=dtype)
        self.weight = conv.weight
        self.bias = conv.bias

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return gated_dilated_conv2d(x, self.weight, self.bias, gate, self.dilations)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, dilations={tuple(self.dilations)}, kernel_size={self.weight.shape[-1]}"
