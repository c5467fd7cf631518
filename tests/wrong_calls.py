"""Calls of ops and layers that must be refused, and the one line that each gives.

python tests/wrong_calls.py > docs/ops_errors.md
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tinynets import layers, ops


class Call(NamedTuple):
    """target(*args), and what is wrong about it."""

    name: str
    mistake: str
    target: Callable[..., Any]
    args: tuple[Any, ...]


def maps(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.ones(*(size or (2, 6, 5, 7)), dtype=dtype)


X, KERNEL, GATE = maps(), maps(6, 1, 3, 3), maps(2, 3, 5, 7)
INTEGERS = maps(dtype=torch.int64)
D = [1, 2, 4]
ONE = torch.tensor(1.0)


def _of_ops() -> dict[Callable[..., Any], dict[str, tuple[Any, ...]]]:
    return {
        ops.divisive_norm: {
            "no batch": (X[0], 3, 1e-3),
            "integers": (INTEGERS, 3, 1e-3),
            "complex numbers": (X.to(torch.complex64), 3, 1e-3),
            "no tensor": (X.numpy(), 3, 1e-3),
            "sparse": (X.to_sparse(), 3, 1e-3),
            "no rows": (X[:, :, :0], 3, 1e-3),
            "even window": (X, 4, 1e-3),
            "no window": (X, 0, 1e-3),
            "fractional window": (X, 3.0, 1e-3),
            "eps = 0": (X, 3, 0.0),
            "eps = nan": (X, 3, float("nan")),
            "eps a string": (X, 3, "1e-3"),
        },
        ops.local_variance: {
            "no batch": (X[0], 3),
            "bytes": (maps(dtype=torch.uint8), 3),
            "8-bit floats": (X.to(torch.float8_e4m3fn), 3),
            "no channels": (X[:, :0], 3),
            "even window": (X, 2),
            "negative window": (X, -3),
        },
        ops.depthwise_conv2d: {
            "no batch": (X[0], KERNEL, None, 2),
            "weight for other channels": (X, KERNEL[:5], None, 2),
            "weight of two channels each": (X, maps(6, 2, 3, 3), None, 2),
            "even kernel": (X, KERNEL[:, :, :2, :2], None, 2),
            "oblong kernel": (X, KERNEL[:, :, :1], None, 2),
            "integer weight": (X, KERNEL.long(), None, 2),
            "weight of another type": (X, KERNEL.double(), None, 2),
            "weight on another device": (X, KERNEL.to("meta"), None, 2),
            "bias too long": (X, KERNEL, maps(7), 2),
            "bias of another type": (X, KERNEL, maps(6).double(), 2),
            "dilation 0": (X, KERNEL, None, 0),
            "dilation 2^40": (X, KERNEL, None, 1 << 40),
            "fractional dilation": (X, KERNEL, None, 1.5),
        },
        ops.gated_dilated_conv2d: {
            "no batch": (X[0], KERNEL, None, GATE, D),
            "integers": (INTEGERS, KERNEL, None, GATE, D),
            "narrower weight": (X, KERNEL[:3], None, GATE, D),
            "even kernel": (X, KERNEL[:, :, :2, :2], None, GATE, D),
            "weight of another type": (X, KERNEL.double(), None, GATE, D),
            "bias a map": (X, KERNEL, maps(1, 6, 1, 1), GATE, D),
            "bias on another device": (X, KERNEL, maps(6).to("meta"), GATE, D),
            "too few gates": (X, KERNEL, None, GATE[:, :2], D),
            "surplus gates": (X, KERNEL, None, maps(2, 4, 5, 7), D),
            "gate of fewer rows": (X, KERNEL, None, GATE[:, :, :4], D),
            "gate of one pixel": (X, KERNEL, None, GATE[:, :, :1, :1], D),
            "gate of one image": (X, KERNEL, None, GATE[:1], D),
            "gate without a batch": (X, KERNEL, None, GATE[0], D),
            "integer gate": (X, KERNEL, None, GATE.long(), D),
            "gate on another device": (X, KERNEL, None, GATE.to("meta"), D),
            "no dilations": (X, KERNEL, None, GATE[:, :0], []),
            "dilation 0": (X, KERNEL, None, GATE, [1, 0, 4]),
            "one dilation, not a list": (X, KERNEL, None, GATE, 3),
        },
        ops.gumbel_gate: {
            "no batch": (GATE[0], ONE, True, False),
            "integer logits": (GATE.long(), ONE, True, False),
            "several temperatures": (GATE, maps(3), True, False),
            "temperature no tensor": (GATE, 1.0, True, False),
        },
        ops.symmetric_weight: {
            "too few numbers": (maps(1, 5), 3),
            "no side": (maps(1, 0), 0),
            "integers": (torch.arange(6), 3),
        },
        ops.pack_symmetric: {"not square": (maps(2, 3),), "integers": (torch.eye(2).long(),)},
    }


def _of_layers() -> dict[torch.nn.Module, dict[str, tuple[Any, ...]]]:
    return {
        layers.BlurPool(6): {"no batch": (X[0],), "other channels": (X[:, :5],), "integers": (INTEGERS,)},
        layers.ConvBnAct(6, 4): {"no batch": (X[0],), "other channels": (X[:, :5],), "integers": (INTEGERS,)},
        layers.DWSeparable(6, 4, dilation=2): {"no batch": (X[0],), "other channels": (X[:, :5],)},
        layers.DivisiveNorm(): {"no batch": (X[0],), "integers": (INTEGERS,)},
        layers.EntropyGate(6): {"no batch": (X[0],), "other channels": (X[:, :5],), "no columns": (X[..., :0],)},
        layers.GatedDilatedConv2d(6): {
            "other channels": (X[:, :5], GATE),
            "too few gates": (X, GATE[:, :2]),
            "gate of fewer columns": (X, GATE[..., :6]),
        },
        layers.ISNorm(6, 3): {
            "no batch": (X[0], 1),
            "other channels": (X[:, :5], 1),
            "step behind the last": (X, 3),
            "negative step": (X, -1),
            "fractional step": (X, 1.5),
        },
        layers.SymmetricConv1x1(6): {
            "no batch": (X[0],),
            "other channels": (X[:, :5],),
            "matrix of another side": (X, maps(5, 5)),
            "matrix as a vector": (X, maps(36)),
        },
    }


def wrong_calls() -> list[Call]:
    calls = [Call(op.__name__, *case) for op, of in _of_ops().items() for case in _cases(op, of)]
    for layer, of in _of_layers().items():
        layer.eval()
        calls += [Call(type(layer).__name__, *case) for case in _cases(layer, of)]
    return calls


def _cases(target: Callable[..., Any], of: dict[str, tuple[Any, ...]]) -> list[tuple[str, Callable[..., Any], Any]]:
    return [(mistake, target, args) for mistake, args in of.items()]


def in_script(target: Callable[..., Any]) -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated, but supported
        return torch.jit.script(target)


def error_of(target: Callable[..., Any], args: tuple[Any, ...]) -> Exception | None:
    try:
        target(*args)
    except Exception as error:
        return error
    return None


def main() -> None:
    print("# Errors of wrong calls\n")
    print("Error messages of invalid calls to ops and layers. They are the same in eager mode, scripted and compiled.")
    print("In TorchScript a dtype is shown as its number.")
    print("TorchScript itself rejects arguments that are not tensors, integers or numbers.")
    print("`python tests/wrong_calls.py` prints this page.\n")
    print("| call | mistake | error |\n|---|---|---|")
    for call in wrong_calls():
        error = error_of(call.target, call.args)
        print(f"| {call.name} | {call.mistake} | {type(error).__name__}: {error} |")


if __name__ == "__main__":
    main()
