"""Portable forms of the layers, in operations that every converter supports."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets.layers import BlurPool, EntropyGate

from .export_ops import TORCH, ExportOps


class PortableGate(nn.Module):
    """`EntropyGate` in evaluation mode. Shape: (N, C, H, W) -> (N, num_dilations, H, W)."""

    ops: ExportOps = TORCH

    def __init__(self, gate: EntropyGate) -> None:
        super().__init__()
        self.reduce, self.expand = gate.reduce, gate.expand
        self.kernel_size, self.hard = gate.kernel_size, gate.hard

    def forward(self, x: Tensor) -> Tensor:
        return self.ops.entropy_gate(x, self.reduce, self.expand, self.kernel_size, self.hard)


class PortableDivisiveNorm(nn.Module):
    """`DivisiveNorm`, where eps is a number or a per-channel tensor (1, C, 1, 1)."""

    ops: ExportOps = TORCH

    def __init__(self, kernel_size: int, eps: float | Tensor) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.eps = nn.Parameter(eps) if isinstance(eps, Tensor) else eps

    def forward(self, x: Tensor) -> Tensor:
        return self.ops.divisive_norm(x, self.kernel_size, self.eps)


class PortableSymmetricConv(nn.Module):
    """1x1 convolution with a symmetric matrix, of which ONNX files store only the lower triangle."""

    ops: ExportOps = TORCH

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight = conv.weight
        rows, columns = torch.tril_indices(conv.out_channels, conv.out_channels).unbind(0)
        self.triangle = nn.Parameter(conv.weight.detach()[rows, columns, 0, 0])

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.ops.symmetric_weight(self.weight, self.triangle))


class PortableBlurPool(nn.Module):
    """`BlurPool` with replication padding by concatenation, since TFLite does not support it."""

    def __init__(self, blur: BlurPool) -> None:
        super().__init__()
        self.stride, self.channels = blur.stride, blur.channels
        self.filt = nn.Parameter(blur.filt.clone())

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
        x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
        return F.conv2d(x, self.filt, None, self.stride, 0, 1, self.channels)


class PortableAvgPool(nn.AvgPool2d):
    """Average pooling with ceil_mode, which few converters support; plain pooling where the windows tile the map."""

    def __init__(self, pool: nn.AvgPool2d) -> None:
        options = (pool.padding, pool.ceil_mode, pool.count_include_pad, pool.divisor_override)
        super().__init__(pool.kernel_size, pool.stride, *options)

    def forward(self, input: Tensor) -> Tensor:
        side = self.kernel_size
        tiled = side == self.stride and isinstance(side, int) and not (input.shape[2] % side or input.shape[3] % side)
        if tiled and self.padding == 0 and self.divisor_override is None:
            return F.avg_pool2d(input, side)
        return super().forward(input)
