"""Estimates of a model's flash and RAM as int8 C from shapes alone, without training, calibration or code generation.

The steps of the generated code (convolutions with their activations, additions, poolings) are derived from the exported
program. Activations are allocated as by BakeNN's planner: at the lowest address that is free during their lifetime.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..export_spec import InputNormalize
from ..inference import portable

# Code size in bytes on a Cortex-M4 (gcc 12, -O3): per kernel, shared by all nets, and per call.
KERNEL_BYTES = {
    "add": 3600,
    "average_pool": 500,
    "conv": 1200,
    "conv_1x1": 1400,
    "depthwise": 1300,
    "depthwise_3x3": 2600,
    "max_pool": 600,
}
SHARED_BYTES, CALL_BYTES = 700, 88
ALIGNMENT = 16


@dataclass(frozen=True)
class Memory:
    """Memory of a model on a microcontroller as int8 C.

    Attributes:
        flash: bytes of weights, requantization parameters and code, for a Cortex-M4.
        ram: bytes of static RAM, for activations and an image.
    """

    flash: int
    ram: int


@dataclass
class _Step:
    """A kernel call, or a change of shape with `kernel` "". Sizes are in bytes."""

    kernel: str
    inputs: list[str]
    output: str
    size: int
    weights: int = 0
    channels: int = 0


def estimate(model: nn.Module, size: Sequence[int]) -> Memory:
    """Estimate flash and RAM of a model exported by `tinynets export --to c`.

    Args:
        model: a classifier.
        size: (C, H, W) of an image.

    Returns:
        Flash and RAM, within 10 % of the generated code's.

    Raises:
        RuntimeError: the int8 C generator does not support an operation of the model; the message names the layer.
    """
    steps, scores = _steps(model, size)
    code = code_bytes([step.kernel for step in steps if step.kernel])
    constants = sum(step.weights + 12 * step.channels for step in steps)  # bias, multiplier and shift of 4 bytes each
    return Memory(constants + code, arena_bytes(steps, scores) + math.prod(size))


def code_bytes(calls: Sequence[str]) -> int:
    """Estimate the code size of calls of these kernels in bytes."""
    return SHARED_BYTES + sum(KERNEL_BYTES.get(kernel, 0) for kernel in set(calls)) + CALL_BYTES * len(calls)


def arena_bytes(steps: Sequence[_Step], scores: str) -> int:
    """Return the arena size of BakeNN's planner: activations in order of creation, each at the lowest free address."""
    aliases = {step.output: step.inputs[0] for step in steps if not step.kernel}  # a reshape aliases its input

    def owner(name: str) -> str:
        return owner(aliases[name]) if name in aliases else name

    first_use, last_use, sizes = {}, {}, {}
    for index, step in enumerate(steps):
        for name in step.inputs:
            last_use[owner(name)] = index
        if step.kernel:
            first_use[step.output], sizes[step.output] = index, step.size
    placed: list[tuple[int, int, int]] = []  # (start, end, last use)
    peak = 0
    for name in sorted(first_use, key=lambda name: first_use[name]):
        if name == owner(scores):
            continue  # in the caller's buffer
        placed = [entry for entry in placed if entry[2] >= first_use[name]]
        start = 0
        for low, high, _ in sorted(placed):
            if start + sizes[name] <= low:
                break
            start = max(start, _aligned(high))
        placed.append((start, start + sizes[name], last_use.get(name, first_use[name])))
        peak = max(peak, start + sizes[name])
    return _aligned(peak)


def _aligned(address: int) -> int:
    return -(-address // ALIGNMENT) * ALIGNMENT


def _steps(model: nn.Module, size: Sequence[int]) -> tuple[list[_Step], str]:
    """Return the steps of a model with pixel input, and the name of its output."""
    channels, height, width = size
    with torch.no_grad():
        normalize = InputNormalize((0.5,) * channels, (0.5,) * channels)
        network = nn.Sequential(normalize, portable(model).float().cpu()).eval()
        program = torch.export.export(network, (torch.zeros(1, height, width, channels),))
    (image,) = program.graph_signature.user_inputs
    (scores,) = program.graph_signature.user_outputs
    steps: list[_Step] = []
    renamed: dict[str, str] = {}
    for node in program.graph.nodes:
        if node.op == "call_function":
            _add(steps, node, renamed, str(image))
    return steps, renamed.get(str(scores), str(scores))


def _add(steps: list[_Step], node: Any, renamed: dict[str, str], image: str) -> None:
    """Append the step of a node, or record that its output aliases another."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):  # an assertion
        return
    name = node.target.name().removeprefix("aten::").partition(".")[0].rstrip("_")
    maps: list[str] = [arg.name for arg in node.all_input_nodes if arg.op != "placeholder" or arg.name == image]
    inputs: list[str] = [renamed.get(part, part) for part in maps]
    size = math.prod(value.shape)
    computed = {step.output for step in steps if step.kernel}
    if name in _SAME or (name in _ACTIVATIONS and inputs[0] in computed and _only_reader(node)):
        renamed[node.name] = inputs[0]
    elif name in ("conv2d", "linear"):
        steps.append(_weighted(node, name, inputs, size))
    elif name == "add" and len(inputs) == 2:
        steps.append(_Step("add", inputs, node.name, size))
    elif name in ("avg_pool2d", "adaptive_avg_pool2d", "mean") and len(inputs) == 1:
        steps.append(_Step("average_pool", inputs, node.name, size))
    elif name == "max_pool2d":
        steps.append(_Step("max_pool", inputs, node.name, size))
    elif name in _SHAPES:
        steps.append(_Step("", inputs, node.name, size))
    else:
        raise RuntimeError(
            f"layer {_layer(node)} uses {name}, which the int8 C generator does not support: export it with --to c-fp32"
        )


_SAME = {"permute", "dropout", "to", "_to_copy", "contiguous", "clone", "alias", "detach"}
_SHAPES = {"view", "reshape", "flatten", "_unsafe_view", "squeeze", "unsqueeze"}
_ACTIVATIONS = {"relu", "relu6", "hardtanh"}


def _weighted(node: Any, name: str, inputs: list[str], size: int) -> _Step:
    weight = node.args[1].meta["val"].shape
    groups = node.args[6] if len(node.args) > 6 else 1
    if name == "linear" or (groups == 1 and math.prod(weight[2:]) == 1):
        kernel = "conv_1x1"
    elif groups == 1:
        kernel = "conv"
    elif weight[1] == 1:
        kernel = "depthwise_3x3" if tuple(weight[2:]) == (3, 3) else "depthwise"
    else:
        raise RuntimeError(
            f"layer {_layer(node)} is a convolution in {groups} groups, which the int8 C generator does not support: "
            "export it with --to c-fp32"
        )
    return _Step(kernel, inputs, node.name, size, math.prod(weight), weight[0])


def _only_reader(node: Any) -> bool:
    return len(node.all_input_nodes[0].users) == 1


def _layer(node: Any) -> str:
    """Return the path of a node's layer."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0].removeprefix("L['self'].").removeprefix("1.") if stack else node.name
