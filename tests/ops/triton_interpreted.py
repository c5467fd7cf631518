"""Run with TRITON_INTERPRET=1: every kernel against the formulas in fp64, NaNs around buffers. Prints deviations.

With --all every type in every layout, and every window.
"""

import importlib
import sys

import torch
import triton
import triton.language as tl

from tinynets.ops._triton import divisive_norm, gated_dilated_conv2d, local_variance

plain = {
    module.__name__.rpartition(".")[2]: importlib.import_module(f"tinynets.ops._{module.__name__.rpartition('.')[2]}")
    for module in (divisive_norm, gated_dilated_conv2d, local_variance)
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11, torch.float16: 2e-3}
DILATIONS = [1, 2, 4]
empty = torch.empty


GUARD = 97
NAN = float("nan")
buffers: list[tuple[torch.Tensor, torch.Tensor]] = []


def guarded(like):
    """NaNs in the shape, strides and type of a tensor, with more of them around it and between its elements.

    What a kernel reads from there shows in its result, what it writes there `report_canaries` finds.
    """
    span = 1 + sum((size - 1) * stride for size, stride in zip(like.shape, like.stride(), strict=True))
    memory = torch.full((span + 2 * GUARD,), NAN, dtype=like.dtype)
    view = memory.as_strided(like.shape, like.stride(), GUARD)
    buffers.append((memory, view))
    return view


def in_guarded(x):
    return guarded(x).copy_(x)


def poisoned(make):
    return lambda *args, **kwargs: guarded(make(*args, **kwargs))


def report_canaries(what):
    for memory, view in buffers:
        touched = memory.clone()
        touched.as_strided(view.shape, view.stride(), GUARD).fill_(NAN)
        if not touched.isnan().all():
            print(what, memory.dtype, tuple(view.shape), view.stride(), "written outside its buffer")
    buffers.clear()


def report(what, ours, expected, dtype):
    error = (ours.double() - expected).abs()
    if not bool((error <= TOLERANCE[dtype] * (1 + expected.abs())).all()):
        print(what, dtype, tuple(ours.shape), ours.stride(), f"off by {error.max():.1e}")


def gradient(op, grad, x, *args):
    """Gradient of the formula of an op with respect to x."""
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(plain[op]._forward(x, *args), x, grad)[0]


def check(x, dtype, sizes=(3,)):
    x = in_guarded(x)
    grad = in_guarded(torch.randn_like(x))
    wide, wide_grad = x.double(), grad.double()
    for size in sizes:
        norm, variance = plain["divisive_norm"], plain["local_variance"]
        report("divisive_norm", divisive_norm.forward(x, size, 0.1), norm._forward(wide, size, 0.1), dtype)
        ours = divisive_norm.backward(grad, x, size, 0.1)
        report("divisive_norm backward", ours, gradient("divisive_norm", wide_grad, wide, size, 0.1), dtype)
        report("local_variance", local_variance.forward(x, size), variance._forward(wide, size), dtype)
        ours = local_variance.backward(grad, x, size)
        expected = gradient("local_variance", wide_grad, wide, size) if size > 1 else torch.zeros_like(wide)
        report("local_variance backward", ours, expected, dtype)

    n, c, h, w = x.shape
    weight, bias = in_guarded(torch.randn(c, 1, 3, 3).to(dtype)), in_guarded(torch.randn(c).to(dtype))
    gate = in_guarded(torch.rand(n, 3, h, w).to(dtype))
    leaves = [t.double().requires_grad_() for t in (x, weight, gate)]
    expected = plain["gated_dilated_conv2d"]._forward(leaves[0], leaves[1], bias.double(), leaves[2], DILATIONS)
    report("gated", gated_dilated_conv2d.forward(x, weight, bias, gate, DILATIONS), expected.detach(), dtype)
    ours = gated_dilated_conv2d.forward(x, weight, None, gate, DILATIONS)
    report("gated without bias", ours, (expected - bias.double().view(1, -1, 1, 1)).detach(), dtype)
    gradients = gated_dilated_conv2d.backward(grad, x, weight, gate, DILATIONS)
    for name, ours, want in zip("xwg", gradients, torch.autograd.grad(expected, leaves, wide_grad), strict=True):
        report(f"gated backward {name}", ours, want, dtype)

    expected = torch.nn.functional.conv2d(leaves[0], leaves[1], None, 1, 2, 2, c)
    report("depthwise", gated_dilated_conv2d.forward(x, weight, None, None, [2]), expected.detach(), dtype)
    by_x, by_weight = torch.autograd.grad(expected, leaves[:2], wide_grad)
    report("depthwise backward x", gated_dilated_conv2d.grad_of_x(grad, x, weight, None, [2]), by_x, dtype)
    report("depthwise backward w", gated_dilated_conv2d.grad_of_weight(grad, x, weight, None, [2]), by_weight, dtype)
    report_canaries("after all ops:")


@triton.jit
def careless_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y_ptr + at, tl.load(x_ptr + at, at < n + 1, 0.0), at < n + 1)


def check_that_canaries_see():
    """One element too many, read and written."""
    x, y = in_guarded(torch.ones(5)), guarded(torch.ones(5))
    careless_kernel[(1,)](x, y, 5, BLOCK=8)
    memory = buffers[1][0]
    assert memory[GUARD + 5].isnan()  # read past the end of x
    x = torch.ones(8)
    careless_kernel[(1,)](x, y, 5, BLOCK=8)
    assert not memory[GUARD + 5].isnan()
    buffers.clear()


def check_rows_far_apart():
    """Rows 2^30 elements apart: offsets within a window of 5 do not fit into 32 bits. Memory that is never touched."""
    near = torch.randn(1, 2, 4, 5).half()
    far = empty((3 << 30) + 64, dtype=torch.float16).as_strided(near.shape, (0, 8, 1 << 30, 1)).copy_(near)
    wide = near.double()
    for op, inputs in ((divisive_norm, (5, 0.1)), (local_variance, (5,))):
        name = op.__name__.rpartition(".")[2]
        report(f"far {name}", op.forward(far, *inputs), plain[name]._forward(wide, *inputs), far.dtype)
        expected = gradient(name, wide, wide, *inputs)
        report(f"far {name} backward", op.backward(far, far, *inputs), expected, far.dtype)
    weight, gate = torch.ones(2, 1, 3, 3).half(), torch.ones(1, 3, 4, 5).half()
    ours = gated_dilated_conv2d.forward(far, weight, None, gate, DILATIONS)
    expected = plain["gated_dilated_conv2d"]._forward(wide, weight.double(), None, gate.double(), DILATIONS)
    report("far gated", ours, expected, far.dtype)
    for ours, expected in zip(
        gated_dilated_conv2d.backward(far, far, weight, gate, DILATIONS),
        gated_dilated_conv2d.backward(near, near, weight, gate, DILATIONS),
        strict=True,
    ):
        report("far gated backward", ours, expected.double(), far.dtype)
    report_canaries("far apart:")


def main():
    assert not isinstance(divisive_norm.divisive_norm_kernel, triton.JITFunction), "TRITON_INTERPRET=1 came too late"
    torch.manual_seed(0)
    torch.empty_like, torch.empty = poisoned(torch.empty_like), poisoned(torch.empty)
    check_that_canaries_see()
    check_rows_far_apart()
    everything = "--all" in sys.argv
    for shape in ((2, 5, 1, 4), (1, 1, 1, 1), (1, 33, 4, 4)):
        check(torch.randn(shape).double(), torch.float64, (1, 3, 5) if everything or shape == (2, 5, 1, 4) else (3,))
    for dtype in TOLERANCE if everything else (torch.float32,):
        check(torch.randn(1, 6, 9, 8).to(dtype)[:, ::2, ::2, 1::2], dtype)
    check(torch.randn(1, 3, 5, 4).half().to(memory_format=torch.channels_last), torch.float16)
    if everything:
        check(torch.randn(1, 3, 5, 7), torch.float32)
        check(torch.randn(2, 3, 5, 4).half().to(memory_format=torch.channels_last), torch.float16)


if __name__ == "__main__":
    main()
