"""EGRR's stage for inference: fused, and portable."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.fx
from torch import Tensor, nn
from torch.nn import functional as F

from tinynets._modules import hooked
from tinynets.layers import EntropyGate, ISNorm
from tinynets.ops import chunks, gated_dilated_conv2d, inference_chunks

from .export_ops import TORCH, ExportOps
from .folding import exact, scales_and_shifts
from .portable_layers import PortableSymmetricConv

try:
    from torch.fx.experimental.symbolic_shapes import has_static_value
except ImportError:  # torch < 2.8, which has no nested_compile_region either

    def has_static_value(a: Any) -> bool:
        return False


torch.fx.wrap("gated_dilated_conv2d")


_nested: Any = getattr(torch.compiler, "nested_compile_region", None)


def compiled_once() -> bool:
    """Whether the steps of a recursion can be compiled as one region: in torch.compile, from torch 2.8 on."""
    return _nested is not None and torch.compiler.is_compiling() and not torch.compiler.is_exporting()


def compiled_in_chunks(x: Tensor) -> bool:
    """Whether a compiled recursion can run in chunks: on the CPU, with a static batch size."""
    known = compiled_once() and x.device.type == "cpu" and all(has_static_value(size) for size in x.shape)
    return known and x.shape[0] > 0


@(_nested or (lambda function: function))
def run_step(stage: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.relu6(gated_stencil(stage.mix(x), weight, bias, stage.gate(x), stage.dilations)) + x


class FusedEGRRStage(nn.Module):
    """h <- h + ReLU6(GatedDWConv_t(W h, gate(h))): a precomputed W, and each step's norm folded into kernel and bias.

    Shape: (N, in_chans, H, W) -> (N, out_chans, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, down: nn.Sequential, gate: EntropyGate, mix: nn.Module, weight: Tensor, norm: ISNorm, dilations: list[int]
    ) -> None:
        super().__init__()
        self.down = down
        self.num_steps = norm.num_steps
        self.gate = gate
        self.mix = mix
        self.dilations = list(dilations)
        scales, shifts = scales_and_shifts(norm)
        # (T, taps, C): contiguous in C, as the op reads it; 3-D, so .to(memory_format=...) does not change the layout
        steps = exact(weight).flatten(1).t() * scales.unsqueeze(1)
        self.weight = nn.Parameter(steps.to(weight).contiguous())
        self.bias = nn.Parameter(shifts.to(weight))
        self.kernel_size = weight.shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        if not torch.jit.is_scripting():
            slices = inference_chunks(x, *self.parameters())
            if slices is not None and not hooked(self):
                y = torch.empty_like(x) if len(self.down) == 0 else x  # the output of down can be overwritten
                for chunk in slices:
                    self.recur(x[chunk], y[chunk])
                return y
            if compiled_in_chunks(x):
                return torch.cat([self.recur(x[chunk]) for chunk in chunks(x)])
        return self.recur(x)

    def recur(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        for step in range(self.num_steps):
            weight = self.weight[step].t().unflatten(1, (1, self.kernel_size, self.kernel_size))
            if torch.jit.is_scripting():
                x = self.step(x, weight, self.bias[step])
            elif compiled_once():
                x = run_step(self, x, weight, self.bias[step])
            else:
                x = self.step(x, weight, self.bias[step], out if step == self.num_steps - 1 else None)
        return x

    def step(self, x: Tensor, weight: Tensor, bias: Tensor, out: Tensor | None = None) -> Tensor:
        y = gated_dilated_conv2d(self.mix(x), weight, bias, self.gate(x), self.dilations)
        y = F.relu6(y, inplace=True)
        return y.add_(x) if out is None else torch.add(x, y, out=out)


class PortableEGRRStage(nn.Module):
    """`FusedEGRRStage` with a separate kernel and bias for every step."""

    ops: ExportOps = TORCH

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
            y = self.ops.gated_dilated_conv2d(self.mix(x), weight, bias, self.gate(x), self.dilations)
            x = x + self.ops.relu6(y)
        return x


def gated_stencil(x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    """`gated_dilated_conv2d` as an expression of shifted maps, which inductor fuses into a single pass over x.

    Compilation is slow, and execution fast for small batches: for steps that are compiled once and run many times.
    """
    y = bias.view(1, -1, 1, 1)
    wide, taps = _wide(x), _taps(weight)
    for gate_k, dilation in zip(gate.split(1, 1), dilations, strict=True):
        y = y + gate_k * sum([shifted * taps[tap] for tap, shifted in _shifted(wide, weight.shape[-1], dilation)])
    return y.to(x.dtype)


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _taps(weight: Tensor) -> list[Tensor]:
    """Return the kernel's elements, each as (1, C, 1, 1), contiguous in C.

    The product with the identity matrix is an exact copy that inductor does not eliminate. Without it every load
    gathers from C memory locations, which halves the speed.
    """
    taps = _wide(weight).flatten(1).t()
    if not taps.is_contiguous():
        taps = torch.eye(taps.shape[0], dtype=taps.dtype, device=taps.device) @ taps
    return [tap.view(1, -1, 1, 1) for tap in taps.unbind(0)]


def _shifted(x: Tensor, kernel_size: int, dilation: int) -> Iterator[tuple[int, Tensor]]:
    """Yield every kernel element that overlaps more than padding, with the map shifted accordingly."""
    height, width = x.shape[2], x.shape[3]
    reach = kernel_size // 2
    if dilation >= height and dilation >= width:  # only the center tap counts; padding by the dilation would be large
        yield reach * kernel_size + reach, x
        return
    padding = dilation * reach
    padded = F.pad(x, [padding] * 4)
    for i in range(kernel_size):
        for j in range(kernel_size):
            if abs(i - reach) * dilation < height and abs(j - reach) * dilation < width:
                yield i * kernel_size + j, padded.narrow(2, i * dilation, height).narrow(3, j * dilation, width)
