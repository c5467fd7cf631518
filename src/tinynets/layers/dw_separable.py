from collections import OrderedDict
from typing import Any

import torch
from timm.layers import create_act_layer
from timm.layers.typing import LayerType
from torch import nn

from .dilated_depthwise import DilatedDepthwise
from .hookable_sequential import HookableSequential
from .registry import register_layer
from .same_conv import same_conv


@register_layer
class DWSeparable(HookableSequential):
    """Depthwise separable convolution without biases and with a single norm: y = act(BN(pointwise(depthwise(x)))).

    Args:
        in_chans: number of input channels.
        out_chans: number of output channels.
        kernel_size: size of the depthwise kernel in pixels, odd.
        stride: stride of the depthwise convolution.
        dilation: spacing between depthwise kernel elements in pixels.
        act_layer: class or timm name of the activation, None for no activation.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).

    Raises:
        ValueError: an argument is not positive, or kernel_size is even.

    Source: Howard et al., MobileNets, 2017 (https://arxiv.org/abs/1704.04861), without the norm between the
    convolutions.

    Examples:
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
        super().__init__(modules)
