import torch
from torch import nn

from tinynets._checks import check_positive, check_window


def same_conv(
    in_chans: int,
    out_chans: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Conv2d:
    """Create a Conv2d with an odd kernel and "same" zero padding: output size ceil(size / stride)."""
    check_positive(in_chans=in_chans, out_chans=out_chans, stride=stride, dilation=dilation, groups=groups)
    check_window(kernel_size)
    padding = dilation * (kernel_size // 2)
    return nn.Conv2d(
        in_chans, out_chans, kernel_size, stride, padding, dilation, groups, bias, device=device, dtype=dtype
    )
