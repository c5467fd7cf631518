"""The layers as ONNX functions: one node each in the graph, defined in the file by standard operators.

Runtimes inline the functions when they load the file, and need no knowledge of this library.

ONNX Runtime's CPU kernels store maps in blocks of channels (NCHWc), a layout that supports convolutions, poolings, and
sums and products of two equal shapes. Any other operation requires a copy to NCHW and back. The "blocked" definitions
avoid such operations: broadcasting one channel to all and ReLU6 are convolutions with a constant kernel, a difference
is a sum with negative weights, and the hidden layer of a gate is zero-padded to whole blocks. EGRR then takes 0.84 of
the time at batch size 128, and 0.92 at batch size 1 (one thread, AVX2).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from .export_ops import ExportOps

DOMAIN = "tinynets"
OPSET = 20
_BLOCK = 16  # channels per block of ONNX Runtime's NCHWc layout on AVX-512; 8 on AVX2
_ONES = """one = Constant<value_float = 1.0>()
        shape = Constant<value_ints: ints = @kernel_shape>()
        kernel = Expand(one, shape)"""


class OnnxFunctions(ExportOps):
    """Create nodes for `torch.onnx.export`, and collect the definitions of their functions.

    definitions: ONNX text of every function, by name.

    Args:
        blocked: use the definitions for NCHWc, whose additional convolutions a quantizer would quantize.
    """

    def __init__(self, blocked: bool = True) -> None:
        self.blocked = blocked
        self.definitions: dict[str, str] = {}

    def installed(self, model: nn.Module) -> nn.Module:
        """Return a copy of a portable model that uses these functions."""
        model = deepcopy(model)
        for module in model.modules():
            if isinstance(getattr(module, "ops", None), ExportOps):
                module.ops = self  # pyright: ignore[reportArgumentType]
        return model

    def entropy_gate(self, x: Tensor, reduce: nn.Conv2d, expand: nn.Conv2d, kernel_size: int, hard: bool) -> Tensor:
        """`EntropyGate` in evaluation mode."""
        choice = "Hardmax" if hard else "Softmax"
        w1, b1, w2 = "w1", "b1", "w2"
        fill, attributes = "", {}
        if self.blocked and (extra := -reduce.out_channels % _BLOCK):
            w1, b1, w2 = "whole_w1", "whole_b1", "whole_w2"
            fill = """rows = Constant<value_ints: ints = @rows>()
        whole_w1 = Pad(w1, rows)
        ends = Constant<value_ints: ints = @ends>()
        whole_b1 = Pad(b1, ends)
        columns = Constant<value_ints: ints = @columns>()
        whole_w2 = Pad(w2, columns)"""
            attributes = {"rows": [0] * 4 + [extra, 0, 0, 0], "ends": [0, extra], "columns": [0] * 5 + [extra, 0, 0]}
        reduced = f"""mean_square = {_window_mean(kernel_size)}(square)
        variance = Sub(mean_square, square_mean)
        reduced = Conv(variance, {w1}, {b1})"""
        if self.blocked:
            reduced = f"""square_part = Conv(square, {w1})
        minuend = {_window_mean(kernel_size)}(square_part)
        negative = Neg({w1})
        subtrahend = Conv(square_mean, negative, {b1})
        reduced = Add(minuend, subtrahend)"""
        body = f"""
        {fill}
        square = Mul(x, x)
        mean = {_window_mean(kernel_size)}(x)
        square_mean = Mul(mean, mean)
        {reduced}
        hidden = Relu(reduced)
        logits = Conv(hidden, {w2}, b2)
        gate = {choice}<axis = 1>(logits)"""
        inputs = {"x": x, "w1": reduce.weight, "b1": reduce.bias, "w2": expand.weight, "b2": expand.bias}
        shape = (x.shape[0], expand.out_channels, x.shape[2], x.shape[3])
        name = f"EntropyGate_{choice}_{kernel_size}" + ("_filled" if fill else "")
        return self._node(name, inputs, "gate", body, x, shape, **attributes)

    def gated_dilated_conv2d(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]
    ) -> Tensor:
        """sum_k gate_k * (depthwise_conv(x, weight, dilation=dilations[k]) + bias)."""
        kernel_size, count, channels = weight.shape[-1], len(dilations), x.shape[1]
        operands = "x, weight" if bias is None else "x, weight, bias"
        lines = [f"{', '.join(f'gate{k}' for k in range(count))} = Split<axis = 1, num_outputs = {count}>(gate)"]
        if self.blocked:
            lines += [_ONES, *(f"share{k} = Conv(gate{k}, kernel)" for k in range(count))]
        for k, dilation in enumerate(dilations):
            pads, spacing = [dilation * (kernel_size // 2)] * 4, [dilation] * 2
            lines.append(f"branch{k} = Conv<group: int = @channels, dilations = {spacing}, pads = {pads}>({operands})")
            lines.append(f"term{k} = Mul(branch{k}, {'share' if self.blocked else 'gate'}{k})")
        total = "term0"
        for k in range(1, count):
            lines.append(f"sum{k} = Add({total}, term{k})")
            total = f"sum{k}"
        lines.append(f"y = Identity({total})")
        inputs = {"x": x, "weight": weight, "gate": gate} | ({} if bias is None else {"bias": bias})
        name = "_".join(map(str, ["GatedDilatedConv2d", *dilations, f"kernel{kernel_size}"])) + (
            "_bias" if "bias" in inputs else ""
        )
        return self._node(name, inputs, "y", "\n".join(lines), x, x.shape, **_sizes(channels))

    def relu6(self, x: Tensor) -> Tensor:
        """min(max(x, 0), 6). ONNX Runtime supports Clip in NCHWc only directly after a convolution."""
        if not self.blocked:
            return super().relu6(x)
        body = f"""
        {_ONES}
        same = Conv<group: int = @channels>(x, kernel)
        zero = Constant<value_float = 0.0>()
        six = Constant<value_float = 6.0>()
        y = Clip(same, zero, six)"""
        return self._node("ReLU6", {"x": x}, "y", body, x, x.shape, **_sizes(x.shape[1]))

    def divisive_norm(self, x: Tensor, kernel_size: int, eps: float | Tensor) -> Tensor:
        """`tinynets.ops.divisive_norm`. eps may differ between channels."""
        each = isinstance(eps, Tensor)
        body = f"""
        size = Abs(x)
        mean = {_window_mean(kernel_size)}(size)
        {"" if each else "eps = Constant<value_float: float = @eps>()"}
        gain = Add(mean, eps)
        y = Div(x, gain)"""
        name = f"DivisiveNorm_{kernel_size}"
        if each:
            return self._node(f"{name}_each", {"x": x, "eps": eps}, "y", body, x, x.shape)
        return self._node(name, {"x": x}, "y", body, x, x.shape, eps=eps)

    def symmetric_weight(self, weight: Tensor, triangle: Tensor) -> Tensor:
        """Build the kernel of a 1x1 convolution, (C, C, 1, 1), from the rows of its lower triangle."""
        body = """
        zero = Constant<value_int = 0>()
        one = Constant<value_int = 1>()
        two = Constant<value_int = 2>()
        last_axis = Constant<value_ints = [1]>()
        pixel = Constant<value_ints = [2, 3]>()
        size = Constant<value_int: int = @channels>()
        column = Range(zero, size, one)
        row = Unsqueeze(column, last_axis)
        low = Min(row, column)
        high = Max(row, column)
        next = Add(high, one)
        double = Mul(high, next)
        start = Div(double, two)
        place = Add(start, low)
        matrix = Gather(triangle, place)
        weight = Unsqueeze(matrix, pixel)"""
        channels = weight.shape[0]
        shape = (channels, channels, 1, 1)
        return self._node("SymmetricWeight", {"triangle": triangle}, "weight", body, triangle, shape, channels=channels)

    def _node(
        self,
        name: str,
        inputs: dict[str, Any],
        output: str,
        body: str,
        like: Tensor,
        shape: Sequence[Any],
        **attributes: Any,
    ) -> Tensor:
        head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
        named = f"<{', '.join(attributes)}>" if attributes else ""
        self.definitions[name] = f"{head} {name} {named}({', '.join(inputs)}) => ({output}) {{\n{body}\n}}"
        return torch.onnx.ops.symbolic(
            f"{DOMAIN}::{name}", list(inputs.values()), attributes, dtype=like.dtype, shape=shape, version=1
        )


def _sizes(channels: int) -> dict[str, Any]:
    """Attributes of a function on all channels, whose constant kernel has the shape kernel_shape."""
    return {"channels": channels, "kernel_shape": [channels, 1, 1, 1]}


def _window_mean(kernel_size: int) -> str:
    return f"AveragePool<kernel_shape = {[kernel_size] * 2}, pads = {[kernel_size // 2] * 4}>"
