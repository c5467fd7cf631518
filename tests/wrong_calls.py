"""Calls of ops and layers that must be refused: with a line of ours, or with an error of torch.

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
    ours: bool


def maps(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.ones(*(size or (2, 6, 5, 7)), dtype=dtype)


X, KERNEL, GATE = maps(), maps(6, 1, 3, 3), maps(2, 3, 5, 7)
INTEGERS = maps(dtype=torch.int64)
D = [1, 2, 4]
ONE = torch.tensor(1.0)


def _ours() -> dict[Callable[..., Any], dict[str, tuple[Any, ...]]]:
    """Calls that torch would accept on some device or for some sizes, with another result."""
    return {
        ops.divisive_norm: {
            "no batch": (X[0], 3, 1e-3),
            "integers": (INTEGERS, 3, 1e-3),
            "complex numbers": (X.to(torch.complex64), 3, 1e-3),
            "even window": (X, 4, 1e-3),
            "no window": (X, 0, 1e-3),
            "eps = 0": (X, 3, 0.0),
            "eps = nan": (X, 3, float("nan")),
        },
        ops.local_variance: {
            "no batch": (X[0], 3),
            "bytes": (maps(dtype=torch.uint8), 3),
            "even window": (X, 2),
            "negative window": (X, -3),
        },
        ops.depthwise_conv2d: {
            "no batch": (X[0], KERNEL, None, 2),
            "weight for other channels": (X, KERNEL[:5], None, 2),
            "weight of two channels each": (X, maps(6, 2, 3, 3), None, 2),
            "even kernel": (X, KERNEL[:, :, :2, :2], None, 2),
            "oblong kernel": (X, KERNEL[:, :, :1], None, 2),
            "weight on another device": (X, KERNEL.to("meta"), None, 2),
            "bias too long": (X, KERNEL, maps(7), 2),
        },
        ops.gated_dilated_conv2d: {
            "no batch": (X[0], KERNEL, None, GATE, D),
            "integers": (INTEGERS, KERNEL, None, GATE, D),
            "narrower weight": (X, KERNEL[:3], None, GATE, D),
            "even kernel": (X, KERNEL[:, :, :2, :2], None, GATE, D),
            "bias a map": (X, KERNEL, maps(1, 6, 1, 1), GATE, D),
            "bias on another device": (X, KERNEL, maps(6).to("meta"), GATE, D),
            "too few gates": (X, KERNEL, None, GATE[:, :2], D),
            "surplus gates": (X, KERNEL, None, maps(2, 4, 5, 7), D),
            "gate of fewer rows": (X, KERNEL, None, GATE[:, :, :4], D),
            "gate of one pixel": (X, KERNEL, None, GATE[:, :, :1, :1], D),
            "gate of one image": (X, KERNEL, None, GATE[:1], D),
            "gate without a batch": (X, KERNEL, None, GATE[0], D),
            "gate on another device": (X, KERNEL, None, GATE.to("meta"), D),
        },
        ops.gumbel_gate: {
            "no batch": (GATE[0], ONE, True, False),
            "integer logits": (GATE.long(), ONE, True, False),
            "several temperatures": (GATE, maps(7), True, False),
        },
        ops.symmetric_weight: {"too few numbers": (maps(1, 5), 3), "too many numbers": (maps(1, 7), 3)},
        ops.pack_symmetric: {"no square": (maps(2, 3),), "integers": (torch.ones(2, 2, dtype=torch.int64),)},
        layers.SymmetricConv1x1(6): {
            "matrix of another side": (X, maps(5, 5)),
            "matrix as a vector": (X, maps(36)),
            "one row of the matrix": (X, maps(1, 6)),
        },
        layers.ISNorm(6, 3): {
            "step behind the last": (X, 3),
            "negative step": (X, -1),
            "fractional step": (X, 1.5),
        },
    }


def _torchs() -> dict[Callable[..., Any], dict[str, tuple[Any, ...]]]:
    return {
        ops.divisive_norm: {
            "no tensor": (X.numpy(), 3, 1e-3),
            "sparse": (X.to_sparse(), 3, 1e-3),
            "no rows": (X[:, :, :0], 3, 1e-3),
            "fractional window": (X, 3.0, 1e-3),
            "eps a string": (X, 3, "1e-3"),
        },
        ops.local_variance: {"no channels": (X[:, :0], 3)},
        ops.depthwise_conv2d: {
            "integer weight": (X, KERNEL.long(), None, 2),
            "weight of another type": (X, KERNEL.double(), None, 2),
            "dilation 0": (X, KERNEL, None, 0),
            "fractional dilation": (X, KERNEL, None, 1.5),
        },
        ops.gated_dilated_conv2d: {
            "weight of another type": (X, KERNEL.double(), None, GATE, D),
            "no dilations": (X, KERNEL, None, GATE[:, :0], []),
            "dilation 0": (X, KERNEL, None, GATE, [1, 0, 4]),
            "one dilation, not a list": (X, KERNEL, None, GATE, 3),
        },
        layers.BlurPool(6): {"other channels": (X[:, :5],), "integers": (INTEGERS,)},
        layers.ConvBnAct(6, 4): {"no batch": (X[0],), "other channels": (X[:, :5],), "no rows": (X[:, :, :0],)},
        layers.DWSeparable(6, 4, dilation=2): {"other channels": (X[:, :5],)},
        layers.EntropyGate(6): {"other channels": (X[:, :5],), "no columns": (X[..., :0],)},
        layers.ISNorm(6, 3): {"no batch": (X[0], 1), "other channels": (X[:, :5], 1)},
        layers.SymmetricConv1x1(6): {"other channels": (X[:, :5],)},
    }


def wrong_calls() -> list[Call]:
    return [
        Call(getattr(target, "__name__", type(target).__name__), mistake, target, args, ours)
        for ours, table in ((True, _ours()), (False, _torchs()))
        for target, cases in table.items()
        for mistake, args in cases.items()
    ]


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
    print("Ops and layers refuse calls that torch would accept on some device or for some sizes, with another result.")
    print(
        "The messages are the same in eager mode, scripted and compiled. In TorchScript a dtype is shown as its number."
    )
    print("Other mistakes, such as a wrong number of channels, raise torch's own errors.")
    print("`python tests/wrong_calls.py` prints this page.\n")
    print("| call | mistake | error |\n|---|---|---|")
    for call in filter(lambda call: call.ours, wrong_calls()):
        error = error_of(call.target, call.args)
        print(f"| {call.name} | {call.mistake} | {type(error).__name__}: {error} |")


if __name__ == "__main__":
    main()
