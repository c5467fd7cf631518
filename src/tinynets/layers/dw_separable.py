from collections import OrderedDict
from typing import Any

from timm.layers import create_act_layer
from timm.layers.typing import LayerType
from torch import nn

from .folding import without_norm
from .registry import register_layer
from .same_conv import same_conv


@register_layer
class DWSeparable(nn.Sequential):
    """y = act(BN(pointwise(depthwise(x)))): one norm for both convolutions, no biases.

    Args:
        in_chans, out_chans: channels in and out.
        kernel_size: odd side of the depthwise kernel.
        stride, dilation: of the depthwise convolution.
        act_layer: class or timm name of the activation, None for none.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).
    Source: Howard et al., MobileNets, 2017 (https://arxiv.org/abs/1704.04861), with the inner norm left out.
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        act_layer: LayerType | None = None,
        device=None,
        dtype=None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        modules: OrderedDict[str, nn.Module] = OrderedDict(
            conv_dw=same_conv(in_chans, in_chans, kernel_size, stride, dilation, groups=in_chans, **dd),
            conv_pw=same_conv(in_chans, out_chans, 1, **dd),
            bn=nn.BatchNorm2d(out_chans, **dd),
        )
        act = create_act_layer(act_layer, inplace=True)
        if act is not None:
            modules["act"] = act
        super().__init__(modules)

    def fuse(self) -> nn.Sequential:
        """The same for inference, the norm in the pointwise convolution."""
        return without_norm(self, "conv_pw")
