from typing import Any

import torch
from timm.layers import BlurPool2d
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import check_positive

from .registry import register_layer


@register_layer
class BlurPool(BlurPool2d):
    """Anti-aliased subsampling: blur every channel with the 3x3 binomial filter, then subsample by stride.

    The filter is [1 2 1] x [1 2 1] / 16. Unlike timm's BlurPool2d, whose reflection padding requires at least two
    pixels and grows with the stride, this layer uses replication padding of one pixel, so that it accepts 1x1 maps and
    returns ceil(size / stride) for every stride.

    Args:
        channels: number of input and output channels.
        stride: subsampling factor in both directions.
        device: device of the filter.
        dtype: floating-point type of the filter.

    Shape: (N, channels, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride)).

    Raises:
        ValueError: channels or stride is not a positive integer.

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again, 2019 (https://arxiv.org/abs/1904.11486).

    Examples:
        >>> import torch
        >>> from tinynets.layers import BlurPool
        >>> BlurPool(16)(torch.randn(1, 16, 7, 7)).shape
        torch.Size([1, 16, 4, 4])
    """

    def __init__(
        self, channels: int, stride: int = 2, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        check_positive(channels=channels, stride=stride)
        super().__init__(channels, filt_size=3, stride=stride, pad_mode="replicate", device=device, dtype=dtype)
        self.channels: int = channels
        self.padding = [1, 1, 1, 1]

    def forward(self, x: Tensor) -> Tensor:
        """Blur and subsample x: (N, channels, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        if torch.compiler.is_compiling():  # inductor fails on the gradient of a replicating pad in channels_last
            x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
            x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
        else:
            x = F.pad(x, self.padding, self.pad_mode)
        return F.conv2d(x, self.filt, stride=self.stride, groups=self.channels)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Rebuild the filter, which is not in the state dict and has no values if the layer was built on meta."""
        super()._load_from_state_dict(*args, **kwargs)
        device = "cpu" if self.filt.is_meta else self.filt.device  # loading with assign=True leaves it on meta
        taps = torch.tensor([0.25, 0.5, 0.25], dtype=self.filt.dtype, device=device)
        self.filt = (taps[:, None] * taps).expand(self.filt.shape[0], 1, 3, 3).contiguous()

    def extra_repr(self) -> str:
        return f"{self.channels}, stride={self.stride}"
