from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tinynets._context import evaluation_mode
from tinynets._modules import float_tensor, image_size_of, unwrapped
from tinynets.report import text_table


@dataclass
class LayerRow:
    """One layer of a `Summary`.

    Attributes:
        name: name of the module.
        type: class of the module.
        output_shape: shape of its last output, without the batch dimension.
        params: number of its own parameters; shared ones are counted once.
        macs: multiply-adds of all its calls for one image.
        calls: number of calls.
    """

    name: str
    type: str
    output_shape: tuple[int, ...] = ()
    params: int = 0
    macs: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Summary:
    """The result of `summary`, layer by layer; `str()` formats it as a table.

    Attributes:
        model: class of the model.
        input_size: (C, H, W) of the image.
        params: number of parameters.
        macs: multiply-adds for one image.
        layers: one `LayerRow` per layer.
        blocks: params and macs of each block, by name.

    Examples:
        >>> import tinynets
        >>> summary = tinynets.summary(tinynets.create_model("c1c2c3c4o_cifar10"))
        >>> summary.params, summary.macs
        (84322, 13728256)
    """

    model: str
    input_size: tuple[int, ...]
    params: int
    macs: int
    layers: tuple[LayerRow, ...]
    blocks: dict[str, dict[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain dictionaries, tuples and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        layers = text_table(
            ("layer", "type", "output", "params", "multiply-adds", "calls"),
            [
                (row.name, row.type, "x".join(map(str, row.output_shape)), row.params, row.macs, row.calls)
                for row in self.layers
            ],
            left=2,
        )
        blocks = text_table(
            ("block", "params", "%", "multiply-adds", "%"),
            [
                (
                    name,
                    block["params"],
                    _percent(block["params"], self.params),
                    block["macs"],
                    _percent(block["macs"], self.macs),
                )
                for name, block in self.blocks.items()
            ],
        )
        size = "x".join(map(str, self.input_size))
        total = (
            f"{self.model} at {size}: {self.params:,} parameters, {self.macs:,} multiply-adds ({self.macs / 1e6:.2f} M)"
        )
        return f"{layers}\n\n{blocks}\n\n{total}"


def count_parameters(model: nn.Module, trainable: bool = False) -> int:
    """Count the parameters of a model; shared ones are counted once.

    Args:
        model: any module.
        trainable: count only parameters with requires_grad.

    Returns:
        The number of parameters.

    Examples:
        >>> import tinynets
        >>> tinynets.count_parameters(tinynets.create_model("simplecnn_mnist"))
        21614
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def summary(model: nn.Module, input_size: Sequence[int] | None = None) -> Summary:
    """Summarize a model layer by layer, by running one image through it.

    Layers are the modules without submodules and those with parameters or arithmetic of their own. Multiply-adds are
    those of convolutions and matrix products, half the FLOPs that torch.utils.flop_counter reports.

    Args:
        model: any image model. Its mode is not changed.
        input_size: (C, H, W); None for the size in the model's pretrained_cfg, overridden by its in_chans and img_size.

    Returns:
        The layers with their shapes, parameters and multiply-adds.

    Raises:
        ValueError: input_size is not three numbers, or is None and cannot be inferred.

    Examples:
        >>> import tinynets, torch
        >>> tinynets.summary(torch.nn.Conv2d(3, 8, 3, bias=False), input_size=(3, 5, 5)).macs
        1944
    """
    model = unwrapped(model)
    size = _input_size(model, input_size)
    like = float_tensor(model)
    image = torch.zeros(1, *size, device=like.device, dtype=like.dtype)
    counter = FlopCounterMode(display=False)
    rows: dict[str, LayerRow] = {}
    running: list[list[Any]] = []  # name, flops when it began, flops of the modules inside it

    def enter(name: str, module: nn.Module) -> None:
        rows.setdefault(name, LayerRow(name, type(module).__name__))
        running.append([name, counter.get_total_flops(), 0])

    def leave(output: object) -> None:
        name, before, inner = running.pop()
        flops = counter.get_total_flops() - before
        if running:
            running[-1][2] += flops
        row = rows[name]
        row.calls += 1
        row.macs += (flops - inner) // 2
        if isinstance(output, Tensor):
            row.output_shape = tuple(output.shape[1:])

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda module, _, name=name: enter(name, module)))
        handles.append(module.register_forward_hook(lambda _, __, output: leave(output)))
    try:
        with evaluation_mode(model), torch.no_grad(), counter:
            model(image)
    finally:
        for handle in handles:
            handle.remove()

    for name, parameter in model.named_parameters():
        rows[_owner(name, rows)].params += parameter.numel()
    leaves = {
        name
        for name, module in model.named_modules()
        if next(module.children(), None) is None and not isinstance(module, nn.Identity)
    }
    layers = tuple(row for name, row in rows.items() if row.params or row.macs or name in leaves)
    blocks: dict[str, dict[str, int]] = {}
    for row in layers:
        block = blocks.setdefault(_block(row.name, model), {"params": 0, "macs": 0})
        block["params"] += row.params
        block["macs"] += row.macs
    return Summary(
        model=type(model).__name__,
        input_size=size,
        params=count_parameters(model),
        macs=sum(row.macs for row in layers),
        layers=layers,
        blocks=blocks,
    )


def _input_size(model: nn.Module, input_size: Sequence[int] | None) -> tuple[int, ...]:
    known = (getattr(model, "pretrained_cfg", None) or {}).get("input_size")
    if input_size is None and known:
        input_size = (getattr(model, "in_chans", known[0]), *(image_size_of(model) or ()))
    if input_size is None:
        raise ValueError(f"{type(model).__name__} has no known input size: pass input_size=(C, H, W)")
    if len(input_size) != 3:
        raise ValueError(f"input_size must be (C, H, W), got {tuple(input_size)}")
    return tuple(input_size)


def _owner(parameter: str, rows: dict[str, LayerRow]) -> str:
    """Return the innermost module that was called and contains the parameter.

    A module whose weight is used by its parent is never called itself.
    """
    name = parameter
    while name:
        name = name.rpartition(".")[0]
        if name in rows:
            return name
    return ""


def _block(layer: str, model: nn.Module) -> str:
    """Return the stage of timm's feature_info that contains the layer, else the top-level child module."""
    for stage in getattr(model, "feature_info", ()):
        if layer == stage["module"] or layer.startswith(stage["module"] + "."):
            return stage["module"]
    return layer.split(".")[0] or "(model)"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"
