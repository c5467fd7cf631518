from collections import OrderedDict
from typing import Any

from timm.layers import create_act_layer
from timm.layers.typing import LayerType
from torch import nn

from .checked_sequential import CheckedSequential
from .same_conv import same_conv


class ConvBnAct(CheckedSequential):
    """y = act(BN(conv(x))), padded so that stride 1 keeps the size.

    Made of plain torch modules: timm's ConvNormAct folds the activation into its norm, which
    torch.nn.SyncBatchNorm.convert_sync_batchnorm would drop.

    Args:
        in_chans, out_chans: channels in and out.
        kernel_size: odd side of the kernel.
        act_layer: class or timm name of the activation, None for none.
        bias: whether the convolution has one in front of the norm.
        batch_stats: normalise with the statistics of the batch at hand in evaluation too; no running ones are kept.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).
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
        device=None,
        dtype=None,
    ) -> None:
        dd: dict[str, Any] = {"device": device, "dtype": dtype}
        modules: OrderedDict[str, nn.Module] = OrderedDict(
            conv=same_conv(in_chans, out_chans, kernel_size, stride, dilation, groups, bias, **dd),
            bn=nn.BatchNorm2d(out_chans, track_running_stats=not batch_stats, **dd),
        )
        act = create_act_layer(act_layer, inplace=True)
        if act is not None:
            modules["act"] = act
        super().__init__(in_chans, modules)
