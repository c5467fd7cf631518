from collections import OrderedDict
from typing import Any

import torch
import torch.fx
from timm.layers import create_act_layer
from timm.layers.typing import LayerType
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._checks import check_odd, check_positive
from tinynets.ops import depthwise_conv2d

from .checked_sequential import CheckedSequential
from .registry import register_layer
from .same_conv import same_conv

torch.fx.wrap("dilated_depthwise")


def dilated_depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Depthwise convolution. Where the kernel fits into the map, it uses the op with the faster backward pass.

    Smaller maps use torch's own convolution: there is little to gain, and C1C2C3C4O trains bit for bit as it was
    released.
    """
    if not torch.jit.is_tracing() and min(x.shape[2], x.shape[3]) > 2 * dilation:
        return depthwise_conv2d(x, weight, None, dilation)
    pad = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, None, 1, [pad, pad], dilation, weight.shape[0])


class DilatedDepthwise(nn.Conv2d):
    """A depthwise convolution of stride 1 without bias; padding keeps the size."""

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        dilation: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        padding = dilation * (kernel_size // 2)
        super().__init__(
            channels, channels, kernel_size, 1, padding, dilation, channels, False, device=device, dtype=dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        return dilated_depthwise(input, self.weight, self.dilation[0])


@register_layer
class DWSeparable(CheckedSequential):
    """Depthwise separable convolution with a single norm: y = act(BN(pointwise(depthwise(x)))). No biases.

    Args:
        in_chans: number of input channels.
        out_chans: number of output channels.
        kernel_size: side of the depthwise kernel in pixels, odd.
        stride: stride of the depthwise convolution.
        dilation: spacing of the depthwise kernel's taps in pixels.
        act_layer: class or timm name of the activation, None for no activation.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).

    Raises:
        ValueError: an argument is not positive, kernel_size is even, or the input has another shape.

    Source: Howard et al., MobileNets, 2017 (https://arxiv.org/abs/1704.04861), without the norm between the
    convolutions.

    Example:
        >>> import torch
        >>> from tinynets.layers import DWSeparable
        >>> DWSeparable(8, 16, dilation=2, act_layer="relu")(torch.randn(1, 8, 9, 9)).shape
        torch.Size([1, 16, 9, 9])
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        act_layer: LayerType | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        check_positive(in_chans=in_chans, stride=stride, dilation=dilation)
        check_odd(kernel_size=kernel_size)
        if dilation > 1 and stride == 1:
            conv_dw = DilatedDepthwise(in_chans, kernel_size, dilation, **dd)
        else:
            conv_dw = same_conv(in_chans, in_chans, kernel_size, stride, dilation, groups=in_chans, **dd)
        modules: OrderedDict[str, nn.Module] = OrderedDict(
            conv_dw=conv_dw,
            conv_pw=same_conv(in_chans, out_chans, 1, **dd),
            bn=nn.BatchNorm2d(out_chans, **dd),
        )
        act = create_act_layer(act_layer, inplace=True)
        if act is not None:
            modules["act"] = act
        super().__init__(in_chans, modules)
