"""Every op against its plain formula in fp64, on random shapes, strides, types and values, forward and backward.

    python tests/fuzz_ops.py --cases 2000

Prints, per op and type, how many cases there were and the largest error of results and of gradients. An error is the
largest difference in a tensor over the largest value in it, in units of the type's epsilon: 1/2 is what rounding the
exact result costs. Where the exact value is a difference of larger terms (a constant map has no variance), it is over
the largest of these terms, as far as the op's documentation says so.
"""

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets import ops

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class Case(NamedTuple):
    """function(*tensors) is ours, exact(*tensors) the plain formula; a tensor may be None.

    terms(x, upstream gradient) are the largest terms that a result and a gradient are differences of.
    """

    op: str
    function: Callable[..., Tensor]
    exact: Callable[..., Tensor]
    tensors: list[Tensor | None]
    terms: Callable[[Tensor, Tensor], tuple[Tensor | float, Tensor | float]] = lambda x, grad: (0.0, 0.0)


def plain(op: str) -> Any:
    return importlib.import_module(f"tinynets.ops._{op}")._forward


class Draw:
    """Random arguments from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.dtype = self.one_of(DTYPES)

    def one_of(self, values: Sequence[Any]) -> Any:
        return values[int(torch.randint(len(values), (), generator=self.random))]

    def values(self, *size: int) -> Tensor:
        return torch.randn(*size, generator=self.random, dtype=torch.float64).to(self.dtype)

    def maps(self, *size: int) -> Tensor:
        """(N, C, H, W) as somebody may have it: a layout, a slice, a transposed, expanded or overlapping view."""
        n, c, h, w = size
        kind = self.one_of(["contiguous", "last", "slice", "transposed", "expanded", "overlapping", "offset"])
        if kind == "last":
            return self.values(*size).contiguous(memory_format=torch.channels_last)
        if kind == "slice":
            return self.values(n + 1, 2 * c, h + 2, 3 * w)[1:, ::2, 1:-1, ::3]
        if kind == "transposed":
            return self.values(w, h, n, c).permute(2, 3, 1, 0)
        if kind == "expanded":
            shape = [self.one_of([1, side]) for side in size]
            return self.values(*shape).expand(size)
        if kind == "overlapping":  # every row shares all pixels but one with the next
            return self.values(3 * n + 2 * c + h + w).as_strided(size, (3, 2, 1, 1))
        if kind == "offset":
            return self.values(*size) + self.one_of([-100.0, 3.0, 1000.0 if self.dtype != torch.float16 else 10.0])
        return self.values(*size)

    def size(self) -> tuple[int, int, int, int]:
        if self.one_of(range(20)) == 0:  # more than one chunk of the batch
            return self.one_of([(5, 96, 64, 48), (65, 48, 16, 20), (7, 512, 17, 16)])
        sides = [1, 2, 3, 4, 5, 7, 8, 13, 16]
        return (self.one_of([0, 1, 2, 3, 5]), self.one_of([1, 2, 3, 8, 17]), self.one_of(sides), self.one_of(sides))


def draw(op: str, seed: int) -> Case:
    random = Draw(seed)
    n, c, h, w = size = random.size()
    k = random.one_of([1, 3, 3, 3, 5, 7])
    if op == "divisive_norm":
        eps = random.one_of([1e-3, 0.1, 1.0])
        return Case(
            op,
            lambda x: ops.divisive_norm(x, k, eps),
            lambda x: plain(op)(x, k, eps),
            [random.maps(*size)],
            lambda x, grad: (0.0, grad * plain(op)(x, k, eps) / x),
        )
    if op == "local_variance":
        return Case(
            op,
            lambda x: ops.local_variance(x, k),
            lambda x: plain(op)(x, k),
            [random.maps(*size)],
            lambda x, grad: (above_the_mean(x, random.dtype), largest(grad) * x),
        )
    bias = random.one_of([None, random.values(c)])
    if op == "depthwise_conv2d":
        dilation = random.one_of([1, 2, 3, 4, 9, 100])
        return Case(
            op,
            lambda x, weight, bias: ops.depthwise_conv2d(x, weight, bias, dilation),
            lambda x, weight, bias: F.conv2d(x, weight, bias, 1, dilation * (k // 2), dilation, c),
            [random.maps(*size), random.maps(c, 1, k, k), bias],
        )
    if op == "gated_dilated_conv2d":
        dilations = random.one_of([[1, 2, 4], [1], [3, 3], [1, 2, 4, 8, 16, 32, 64], [2, 100]])
        return Case(
            op,
            lambda x, weight, bias, gate: ops.gated_dilated_conv2d(x, weight, bias, gate, dilations),
            lambda x, weight, bias, gate: plain(op)(x, weight, bias, gate, dilations),
            [random.maps(*size), random.maps(c, 1, k, k), bias, random.maps(n, len(dilations), h, w)],
        )
    if op == "gumbel_gate":
        tau = torch.tensor(random.one_of([0.1, 1.0, 3.0]), dtype=random.dtype)
        return Case(op, lambda x: ops.gumbel_gate(x, tau, False, False), lambda x: x.softmax(1), [random.maps(*size)])
    side = c + h
    rows, columns = torch.tril_indices(side, side)
    lower = lambda x: torch.zeros(side, side, dtype=x.dtype).index_put((rows, columns), x.flatten())  # noqa: E731
    return Case(
        op,
        lambda x: ops.symmetric_weight(x, side),
        lambda x: lower(x) + lower(x).T,
        [random.values(1, side * (side + 1) // 2)],
    )


OPS = (
    "divisive_norm",
    "local_variance",
    "depthwise_conv2d",
    "gated_dilated_conv2d",
    "gumbel_gate",
    "symmetric_weight",
)


def above_the_mean(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Squares of the differences to the map's mean, which is itself rounded."""
    return (x - x.mean((2, 3), keepdim=True)).square() + torch.finfo(dtype).eps * x.square()


def largest(x: Tensor | float) -> float:
    return float(torch.as_tensor(x).nan_to_num().abs().max()) if not isinstance(x, Tensor) or x.numel() > 0 else 0.0


def error(ours: Tensor, exact: Tensor, floor: float) -> float:
    if not bool((ours.isfinite() | ~exact.to(ours.dtype).isfinite()).all()):
        return float("inf")
    within = exact.abs() <= torch.finfo(ours.dtype).max
    off = torch.where(within, ours.double() - exact, 0).abs()
    if off.numel() == 0 or off.max() == 0:
        return 0.0
    floor = max(floor, torch.finfo(ours.dtype).tiny / torch.finfo(ours.dtype).eps)
    return float(off.max()) / max(largest(torch.where(within, exact, 0)), floor) / torch.finfo(ours.dtype).eps


def check(case: Case) -> tuple[float, float, float]:
    """Errors of the result without gradients, of the result with them, and the largest one of a gradient."""
    given = [t for t in case.tensors if t is not None]
    exact = [None if t is None else t.double().clone().requires_grad_() for t in case.tensors]
    leaves = [None if t is None else t.detach().requires_grad_() for t in case.tensors]
    before = [t.clone() for t in given]
    expected = case.exact(*exact) + sum(0 * t.sum() for t in exact if t is not None)  # everything is used
    with torch.no_grad():
        alone = case.function(*case.tensors)
    y = case.function(*leaves)
    assert alone.shape == y.shape == expected.shape
    assert alone.dtype == y.dtype == given[0].dtype
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(y.numel())).to(y.dtype)
    ours = torch.autograd.grad(y, [t for t in leaves if t is not None], grad)
    want = torch.autograd.grad(expected, [t for t in exact if t is not None], grad.double())
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True)), "an argument was written to"
    floor, grad_floor = (largest(terms) for terms in case.terms(given[0].double(), grad.double()))
    errors = [error(a, b, grad_floor) for a, b in zip(ours, want, strict=True)]
    expected = expected.detach()
    return error(alone, expected, floor), error(y.detach(), expected, floor), max(errors)


def worst(cases: int, first_seed: int = 0) -> dict[tuple[str, torch.dtype], tuple[int, float, float]]:
    """(op, type) -> number of cases, largest error of a result, largest error of a gradient."""
    table: dict[tuple[str, torch.dtype], tuple[int, float, float]] = {}
    for index in range(cases):
        case = draw(OPS[index % len(OPS)], first_seed + index)
        alone, result, gradient = check(case)
        dtype = next(t.dtype for t in case.tensors if t is not None)
        count, a, b = table.get((case.op, dtype), (0, 0.0, 0.0))
        table[case.op, dtype] = (count + 1, max(a, alone, result), max(b, gradient))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    table = worst(args.cases, args.seed)
    print(f"{'op':22} {'type':9} {'cases':>6} {'result':>9} {'gradient':>9}   (units of epsilon)")
    for (op, dtype), (count, result, gradient) in sorted(table.items(), key=str):
        print(f"{op:22} {str(dtype).removeprefix('torch.'):9} {count:6} {result:9.2f} {gradient:9.2f}")
    print(f"{args.cases} cases")


if __name__ == "__main__":
    main()
