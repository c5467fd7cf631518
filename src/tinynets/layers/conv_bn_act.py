from collections import OrderedDict
from typing import Any

import torch
from timm.layers import create_act_layer
from timm.layers.typing import LayerType
from torch import nn

from .hookable_sequential import HookableSequential
from .same_conv import same_conv


class ConvBnAct(HookableSequential):
    """Convolution with "same" zero padding, batch norm and activation: y = act(BN(conv(x))).

    The three are separate torch modules. timm's ConvNormAct fuses the activation into the norm, where
    torch.nn.SyncBatchNorm.convert_sync_batchnorm would drop it.

    Args:
        in_chans: number of input channels.
        out_chans: number of output channels.
        kernel_size: kernel size in pixels, odd.
        stride: stride of the convolution.
        dilation: spacing between kernel elements in pixels.
        groups: number of groups of the convolution.
        act_layer: class or timm name of the activation, None for no activation.
        bias: whether the convolution has a bias.
        batch_stats: normalize with batch statistics in evaluation as well, without tracking running statistics.
        device: device of the parameters.
        dtype: floating-point type of the parameters.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).

    Raises:
        ValueError: an argument is not positive, or kernel_size is even.

    Examples:
        >>> import torch
        >>> from tinynets.layers import ConvBnAct
        >>> ConvBnAct(3, 8, stride=2)(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2, 8, 16, 16])
    """

    def __init__(
        self,
        in_chans: int,
        out_chans: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act_layer: LayerType | None = nn.ReLU,
        bias: bool = False,
        batch_stats: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        modules: OrderedDict[str, nn.Module] = OrderedDict(
            conv=same_conv(in_chans, out_chans, kernel_size, stride, dilation, groups, bias, **dd),
            bn=nn.BatchNorm2d(out_chans, track_running_stats=not batch_stats, **dd),
        )
        act = create_act_layer(act_layer, inplace=True)
        if act is not None:
            modules["act"] = act
        super().__init__(modules)
