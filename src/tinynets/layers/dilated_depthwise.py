from typing import TYPE_CHECKING, Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_positive, check_window
from tinynets.ops import depthwise_conv2d

torch.fx.wrap("depthwise_conv2d")


class DilatedDepthwise(nn.Conv2d):
    """Depthwise convolution of stride 1 with "same" zero padding, whose dilation can be overridden per call."""

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        dilation: int = 1,
        bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_window(kernel_size)
        check_positive(dilation=dilation)
        padding = dilation * (kernel_size // 2)
        super().__init__(
            channels, channels, kernel_size, 1, padding, dilation, channels, bias, device=device, dtype=dtype
        )

    def forward(self, input: Tensor, dilation: int | None = None) -> Tensor:
        return depthwise_conv2d(input, self.weight, self.bias, self.dilation[0] if dilation is None else dilation)


class DilatesDepthwise(nn.Module):
    """Base class of blocks that apply their module `depthwise` with a different dilation at every step."""

    dilations: list[int]
    if TYPE_CHECKING:  # TorchScript does not read it
        depthwise: Any

    def filtered(self, x: Tensor, step: int) -> Tensor:
        """Convolve x, (N, C, H, W), with the dilation of the step.

        A module that replaces the DilatedDepthwise, such as a wrapper or a quantized convolution, accepts x only. It is
        applied to the dilation^2 subsampled maps instead, which computes the same function.
        """
        dilation = self.dilations[step]
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
            if not isinstance(self.depthwise, DilatedDepthwise):
                return _apply_dilated(dilation, self.depthwise, x)
        return self.depthwise(x, dilation)


def _apply_dilated(dilation: int, conv: nn.Module, x: Tensor) -> Tensor:
    """Apply conv with its dilation multiplied: each of the dilation^2 subsampled grids is one image of the batch."""
    h, w = x.shape[2:]
    grids = F.pad(x, (0, -w % dilation, 0, -h % dilation)).unflatten(3, (-1, dilation)).unflatten(2, (-1, dilation))
    grids = grids.permute(0, 3, 5, 1, 2, 4)  # (N, d, d, C, H / d, W / d)
    y = conv(grids.flatten(0, 2)).unflatten(0, grids.shape[:3]).permute(0, 3, 4, 1, 5, 2)
    return y.flatten(4, 5).flatten(2, 3)[:, :, :h, :w]
