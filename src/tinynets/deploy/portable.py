"""Rewrite a model in operations that every converter supports."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets.layers import BlurPool, DivisiveNorm, EntropyGate, GatedDilatedConv2d
from tinynets.layers.dilated_depthwise import DilatesDepthwise

from . import onnx_functions
from ._fuse import fuse
from ._fuse.recursive import FusedECBlock, FusedEGRRStage


def portable(model: nn.Module) -> nn.Module:
    """`fuse(model)`, rewritten in few standard operations: convolutions, poolings, products and sums.

    It computes the same function. Window means are average poolings, which runtimes have kernels for. Each step of a
    recursion has its own weight tensor instead of a slice of a larger one. Inside `onnx_functions.emitted()` the layers
    become ONNX functions.

    The variance is mean(x^2) - mean(x)^2 here. That is less precise than `tinynets.ops.local_variance` where the mean
    is much larger than the standard deviation.
    """
    return _rewritten(fuse(model), {}).eval().requires_grad_(False)


def _rewritten(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    if module not in done:
        form = _FORMS.get(type(module))
        replacement = form(module) if form else module
        done[module] = done[replacement] = replacement
        for name, child in replacement._modules.items():
            if child is not None:
                replacement._modules[name] = _rewritten(child, done)
    return done[module]


def window_mean(x: Tensor, kernel_size: int) -> Tensor:
    """The mean over the window around each pixel, clipped at the border."""
    return F.avg_pool2d(x, kernel_size, 1, kernel_size // 2, count_include_pad=False)


class PortableGate(nn.Module):
    """`EntropyGate` in evaluation mode. Shape: (N, C, H, W) -> (N, num_dilations, H, W)."""

    def __init__(self, gate: EntropyGate) -> None:
        super().__init__()
        self.reduce, self.expand = gate.reduce, gate.expand
        self.kernel_size, self.hard = gate.kernel_size, gate.hard

    def forward(self, x: Tensor) -> Tensor:
        if onnx_functions.are_emitted():
            return onnx_functions.entropy_gate(x, self.reduce, self.expand, self.kernel_size, self.hard)
        mean = window_mean(x, self.kernel_size)
        variance = window_mean(x * x, self.kernel_size) - mean * mean
        logits = self.expand(F.relu(self.reduce(variance)))
        if self.hard:
            return F.one_hot(logits.argmax(1), logits.shape[1]).permute(0, 3, 1, 2).to(x.dtype)
        return logits.softmax(1)


def gated_conv(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    """sum_k gate_k * (depthwise_conv(x, weight, dilation=dilations[k]) + bias)."""
    if onnx_functions.are_emitted():
        return onnx_functions.gated_dilated_conv2d(x, weight, bias, gate, dilations)
    reach = weight.shape[-1] // 2
    total = None
    for dilation, share in zip(dilations, gate.split(1, 1), strict=True):
        pad = dilation * reach
        branch = F.conv2d(x, weight, bias, 1, [pad, pad], dilation, weight.shape[0]) * share
        total = branch if total is None else total + branch
    assert total is not None
    return total


class PortableEGRRStage(nn.Module):
    """`FusedEGRRStage` with a separate kernel and bias for every step."""

    def __init__(self, stage: FusedEGRRStage) -> None:
        super().__init__()
        assert isinstance(stage.mix, nn.Conv2d)
        self.down, self.gate, self.dilations = stage.down, stage.gate, stage.dilations
        self.mix = PortableSymmetricConv(stage.mix)
        kernels = (
            stage.weight.detach().transpose(1, 2).unflatten(2, (stage.kernel_size, stage.kernel_size)).unsqueeze(2)
        )
        self.weights = nn.ParameterList(kernel.clone() for kernel in kernels.contiguous())
        self.biases = nn.ParameterList(bias.clone() for bias in stage.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            y = gated_conv(self.mix(x), weight, bias, self.gate(x), self.dilations)
            x = x + (onnx_functions.relu6(y) if onnx_functions.are_emitted() else F.relu6(y))
        return x


class PortableECBlock(DilatesDepthwise):
    """`FusedECBlock` with each matrix stored once. A step multiplies its rows by a column of scales."""

    def __init__(self, block: FusedECBlock) -> None:
        super().__init__()
        self.dilations, self.depthwise = block.dilations, block.depthwise
        self.divisive = PortableDivisiveNorm(block.kernel_size, block.eps)
        self.expand, self.expand_scales = _shared_rows(block.expand.detach())
        self.contract, self.contract_scales = _shared_rows(block.contract.detach())
        self.expand_biases = nn.ParameterList(bias.clone() for bias in block.expand_bias.detach())
        self.contract_biases = nn.ParameterList(bias.clone() for bias in block.contract_bias.detach())

    def forward(self, x: Tensor, step: int) -> Tensor:
        return self.contracted(x, self.filtered(self.hidden(x, step), step), step)

    def hidden(self, x: Tensor, step: int) -> Tensor:
        return F.relu(F.conv2d(x, self.expand * self.expand_scales[step], self.expand_biases[step]))

    def contracted(self, x: Tensor, y: Tensor, step: int) -> Tensor:
        return x + F.conv2d(self.divisive(y), self.contract * self.contract_scales[step], self.contract_biases[step])


def _shared_rows(weights: Tensor) -> tuple[nn.Parameter, nn.ParameterList]:
    """Split (T, C_out, C_in) matrices that differ by a factor per row into one matrix and T columns of factors."""
    wide = weights.double()
    longest = wide.square().sum(2).argmax(0)
    base = F.normalize(wide[longest, torch.arange(wide.shape[1])], dim=1)
    scales = (wide * base).sum(2)
    shared = base[..., None, None].to(weights)
    return nn.Parameter(shared), nn.ParameterList(column[:, None, None, None].to(weights) for column in scales)


class PortableDivisiveNorm(nn.Module):
    """`DivisiveNorm`. eps is a number, or a tensor (1, C, 1, 1) with one for each channel."""

    def __init__(self, kernel_size: int, eps: float | Tensor) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.eps = nn.Parameter(eps) if isinstance(eps, Tensor) else eps

    def forward(self, x: Tensor) -> Tensor:
        if onnx_functions.are_emitted():
            return onnx_functions.divisive_norm(x, self.kernel_size, self.eps)
        return x / (window_mean(x.abs(), self.kernel_size) + self.eps)


class PortableGatedConv(nn.Module):
    """`GatedDilatedConv2d` outside of a recursion."""

    def __init__(self, conv: GatedDilatedConv2d) -> None:
        super().__init__()
        self.weight, self.bias, self.dilations = conv.weight, conv.bias, conv.dilations

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        y = gated_conv(x, self.weight, None, gate, self.dilations)
        return y if self.bias is None else y + self.bias.view(1, -1, 1, 1)


class PortableSymmetricConv(nn.Module):
    """1x1 convolution with a symmetric matrix. ONNX files hold only its lower triangle."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight = conv.weight
        rows, columns = torch.tril_indices(conv.out_channels, conv.out_channels).unbind(0)
        self.triangle = nn.Parameter(conv.weight.detach()[rows, columns, 0, 0])

    def forward(self, x: Tensor) -> Tensor:
        if onnx_functions.are_emitted():
            return F.conv2d(x, onnx_functions.symmetric_weight(self.triangle, self.weight.shape[0]))
        return F.conv2d(x, self.weight)


class PortableBlurPool(nn.Module):
    """`BlurPool` whose edge is replicated by concatenation, because TFLite has no edge padding."""

    def __init__(self, blur: BlurPool) -> None:
        super().__init__()
        self.stride, self.channels = blur.stride, blur.channels
        self.filt = nn.Parameter(blur.filt.clone())

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
        x = torch.cat([x[..., :1], x, x[..., -1:]], 3)
        return F.conv2d(x, self.filt, None, self.stride, 0, 1, self.channels)


class PortableAvgPool(nn.AvgPool2d):
    """Average pooling with ceil_mode, as plain pooling where the windows fill the map. Few converters support
    ceil_mode.
    """

    def __init__(self, pool: nn.AvgPool2d) -> None:
        how = (pool.padding, pool.ceil_mode, pool.count_include_pad, pool.divisor_override)
        super().__init__(pool.kernel_size, pool.stride, *how)

    def forward(self, input: Tensor) -> Tensor:
        side = self.kernel_size
        fills = side == self.stride and isinstance(side, int) and not (input.shape[2] % side or input.shape[3] % side)
        if fills and self.padding == 0 and self.divisor_override is None:
            return F.avg_pool2d(input, side)
        return super().forward(input)


_FORMS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    FusedEGRRStage: PortableEGRRStage,
    FusedECBlock: PortableECBlock,
    EntropyGate: PortableGate,
    GatedDilatedConv2d: PortableGatedConv,
    DivisiveNorm: lambda norm: PortableDivisiveNorm(norm.kernel_size, norm.eps),
    BlurPool: PortableBlurPool,
    nn.AvgPool2d: PortableAvgPool,
}
