import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.fx
from timm.layers import BlurPool2d, SelectAdaptivePool2d, get_notrace_functions, get_notrace_modules
from torch import nn
from torch.fx.proxy import TraceError
from torch.nn import functional as F

from tinynets import ops
from tinynets._context import evaluation_mode
from tinynets._modules import unwrapped
from tinynets.layers import DivisiveNorm, EntropyGate, GatedDilatedConv2d, SymmetricConv1x1
from tinynets.layers.dilated_depthwise import DilatedDepthwise, DilatesDepthwise
from tinynets.report import text_table


class Window(NamedTuple):
    """A sliding window: kernel size, stride, dilation and padding, in pixels of its input."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0


class _Extent(NamedTuple):
    """First and last image pixel in the receptive field of a map's element 0, and the stride between elements."""

    first: float
    last: float
    jump: int

    @property
    def size(self) -> float:
        return self.last - self.first + 1


@dataclass(frozen=True)
class FieldRow:
    """One layer with a sliding window.

    Attributes:
        layer: name of the layer.
        kernel: kernel size in pixels of its input.
        stride: stride of the window.
        dilation: spacing between kernel elements.
        receptive_field: receptive field size after the layer, in pixels of the image; inf for the whole image.
        jump: distance between neighboring elements after the layer, in pixels of the image.
    """

    layer: str
    kernel: int
    stride: int
    dilation: int
    receptive_field: float
    jump: int


@dataclass(frozen=True)
class ReceptiveField:
    """The result of `receptive_field`; `str()` formats it as a table.

    Attributes:
        size: receptive field size of the last feature map, in pixels; inf for the whole image.
        jump: distance between neighboring elements of that map, in pixels of the image.
        rows: one `FieldRow` per layer with a sliding window.

    Examples:
        >>> import tinynets
        >>> field = tinynets.receptive_field(tinynets.create_model("c1c2c3c4o_cifar10"))
        >>> field.size, field.jump
        (55, 8)
    """

    size: float
    jump: int
    rows: tuple[FieldRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain dictionaries, tuples and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [
            tuple(f"{cell:g}" if isinstance(cell, float) else cell for cell in vars(row).values()) for row in self.rows
        ]
        return text_table(("layer", "kernel", "stride", "dilation", "receptive field", "jump"), rows)


def receptive_field(model: nn.Module) -> ReceptiveField:
    """Compute the theoretical receptive field of a model's last feature map, layer by layer.

    Along every path RF_out = RF_in + (kernel - 1) * dilation * jump and jump_out = jump_in * stride; where paths merge,
    the union of their receptive fields is used. The model is not run: torch.fx traces its graph in evaluation mode, for
    models with timm's forward_features up to the head.

    Args:
        model: any image model. Its mode is not changed.

    Returns:
        The receptive field of the model and of each layer, in pixels.

    Raises:
        ValueError: a kernel is not square, a layer is not a sliding window (upsampling, transposed convolution), or
            ECNet's depthwise convolution was replaced by another module.
        RuntimeError: torch.fx cannot trace the model.

    Examples:
        >>> import tinynets, torch
        >>> tinynets.receptive_field(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 8, 3))).size
        5
    """
    model = unwrapped(model)
    for name, block in model.named_modules():
        if isinstance(block, DilatesDepthwise) and not isinstance(block.depthwise, DilatedDepthwise):
            raise ValueError(
                f"{name}.depthwise: {type(block.depthwise).__name__} replaces the DilatedDepthwise, and its kernel "
                "and dilation are unknown: compute the receptive field before replacing it"
            )
    tracer = _Tracer(autowrap_functions=tuple(get_notrace_functions()))
    if hasattr(model, "forward_features"):
        tracer.traced_func_name = "forward_features"
    try:
        with evaluation_mode(model):
            graph = tracer.trace(model)
    except (TraceError, TypeError) as error:
        raise RuntimeError(f"torch.fx cannot trace {type(model).__name__}: {str(error).splitlines()[0]}") from error

    extents: dict[torch.fx.Node, _Extent] = {}
    rows = []
    field = _Extent(0, 0, 1)
    for node in graph.nodes:
        if node.op == "placeholder":
            extents[node] = _Extent(0, 0, 1)
            continue
        sources = [extents[source] for source in node.all_input_nodes if source in extents]
        if not sources:
            continue  # a parameter or a number does not depend on the image
        name, window = _window(node, model)
        if window is _EVERYWHERE:
            field = _Extent(-math.inf, math.inf, sources[0].jump)
        elif window is not None:
            # the window slides over the first input; others, such as a gate, are read at the same pixel
            field = _union([_slide(sources[0], window), *sources[1:]])
            rows.append(FieldRow(name, window.kernel, window.stride, window.dilation, field.size, field.jump))
        else:
            field = _union(sources)
        extents[node] = field
    return ReceptiveField(field.size, field.jump, tuple(rows))


_EVERYWHERE = Window(0)


def _slide(field: _Extent, window: Window) -> _Extent:
    before = window.padding * field.jump
    after = (window.dilation * (window.kernel - 1) - window.padding) * field.jump
    return _Extent(field.first - before, field.last + after, field.jump * window.stride)


def _union(fields: list[_Extent]) -> _Extent:
    return _Extent(
        min(field.first for field in fields), max(field.last for field in fields), max(field.jump for field in fields)
    )


def _conv(module: nn.Conv2d) -> Window:
    padding = module.padding
    if isinstance(padding, str):
        padding = 0 if padding == "valid" else _side(module.dilation) * (_side(module.kernel_size) - 1) // 2
    return Window(_side(module.kernel_size), _side(module.stride), _side(module.dilation), _side(padding))


def _pool(module: nn.MaxPool2d | nn.AvgPool2d) -> Window:
    dilation = _side(getattr(module, "dilation", 1))
    return Window(_side(module.kernel_size), _side(module.stride), dilation, _side(module.padding))


def _centered(kernel: int, stride: int = 1, dilation: int = 1) -> Window:
    return Window(kernel, stride, dilation, dilation * (kernel // 2))


_MODULES: dict[type[nn.Module], Callable[[Any], Window]] = {
    nn.Conv2d: _conv,
    nn.MaxPool2d: _pool,
    nn.AvgPool2d: _pool,
    nn.AdaptiveAvgPool2d: lambda _: _EVERYWHERE,
    nn.AdaptiveMaxPool2d: lambda _: _EVERYWHERE,
    SelectAdaptivePool2d: lambda pool: Window(1) if pool.is_identity() else _EVERYWHERE,
    BlurPool2d: lambda blur: Window(blur.filt_size, blur.stride, 1, blur.padding[0]),
    DivisiveNorm: lambda norm: _centered(norm.kernel_size),
    EntropyGate: lambda gate: _centered(gate.kernel_size),
    SymmetricConv1x1: lambda _: _centered(1),
    GatedDilatedConv2d: lambda conv: _centered(conv.weight.shape[-1], 1, max(conv.dilations)),
}


_UNSUPPORTED = (nn.Conv1d, nn.Conv3d, nn.modules.conv._ConvTransposeNd, nn.Upsample, nn.Unfold)


class _Tracer(torch.fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return (
            _handler(m) is not None
            or isinstance(m, tuple(get_notrace_modules()))
            or super().is_leaf_module(m, module_qualified_name)
        )


def _handler(module: nn.Module) -> Callable[[Any], Window] | None:
    return next((handler for cls, handler in _MODULES.items() if isinstance(module, cls)), None)


def _window(node: torch.fx.Node, model: nn.Module) -> tuple[str, Window | None]:
    """Return the name of a node's layer and its sliding window, None for a pixelwise layer."""
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if isinstance(module, _UNSUPPORTED):
            raise ValueError(
                f"{node.target}: {type(module).__name__} is not a sliding window: its receptive field is undefined"
            )
        if isinstance(module, DilatedDepthwise) and len(node.args) > 1:
            return str(node.target), _centered(_side(module.kernel_size), 1, _side(node.args[1]))
        handler = _handler(module)
        return str(node.target), None if handler is None else handler(module)
    stack = list(node.meta.get("nn_module_stack", {}).values())
    name = stack[-1][0] if stack else node.name
    if node.target in (F.conv2d, torch.conv2d):
        return name, _functional_conv(node, model)
    if node.target is ops.depthwise_conv2d:
        args = _arguments(node, "x", "weight", "bias", "dilation")
        return name, _centered(_kernel(args["weight"], node, model), 1, args.get("dilation", 1))
    if node.target is ops.gated_dilated_conv2d:
        args = _arguments(node, "x", "weight", "bias", "gate", "dilations")
        return name, _centered(_kernel(args["weight"], node, model), 1, max(args["dilations"]))
    if node.target in (ops.divisive_norm, ops.local_variance):
        return name, _centered(_arguments(node, "x", "kernel_size").get("kernel_size", 3))
    if node.target in (F.max_pool2d, torch.max_pool2d, F.avg_pool2d):
        return name, _functional_pool(node)
    if node.target in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.mean) or node.target == "mean":
        return name, _EVERYWHERE
    if node.target in (F.interpolate, F.conv_transpose2d, F.unfold):
        raise ValueError(f"{name}: {node.target.__name__} is not a sliding window: its receptive field is undefined")  # pyright: ignore
    return name, None


def _arguments(node: torch.fx.Node, *names: str) -> dict[str, Any]:
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _functional_conv(node: torch.fx.Node, model: nn.Module) -> Window:
    args = _arguments(node, "input", "weight", "bias", "stride", "padding", "dilation")
    kernel = _kernel(args["weight"], node, model)
    stride, padding, dilation = (
        _side(args.get(key, default)) for key, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    return Window(kernel, stride, dilation, padding)


def _kernel(weight: Any, node: torch.fx.Node, model: nn.Module) -> int:
    """Return the size of a kernel that is a parameter, or a parameter reshaped by unflatten as in fused recursions."""
    if isinstance(weight, torch.fx.Node) and weight.op == "get_attr":
        path, _, attribute = str(weight.target).rpartition(".")
        return _side(tuple(getattr(model.get_submodule(path), attribute).shape[2:]))
    if isinstance(weight, torch.fx.Node) and weight.target == "unflatten":
        return _side(tuple(weight.args[2])[-2:])  # pyright: ignore[reportArgumentType]
    raise ValueError(f"the size of the kernel of {node.name} is unknown: the kernel is computed in the forward pass")


def _functional_pool(node: torch.fx.Node) -> Window:
    dilation = () if node.target is F.avg_pool2d else ("dilation",)
    args = _arguments(node, "input", "kernel_size", "stride", "padding", *dilation)
    kernel, stride = args["kernel_size"], args.get("stride") or args["kernel_size"]
    return Window(_side(kernel), _side(stride), _side(args.get("dilation", 1)), _side(args.get("padding", 0)))


def _side(value: Any) -> int:
    """Return an int from an int or a pair of equal ints."""
    sides = set(value) if isinstance(value, list | tuple) else {value}
    if len(sides) != 1:
        raise ValueError(f"windows must be square, got {value}")
    return int(sides.pop())
