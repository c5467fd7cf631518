"""Run with TRITON_INTERPRET=1: every kernel, outputs poisoned, against the formulas in fp64. Prints what is off."""

import importlib

import torch
import triton

from tinynets.ops._triton import divisive_norm, gated_dilated_conv2d, local_variance

plain = {
    module.__name__.rpartition(".")[2]: importlib.import_module(f"tinynets.ops.{module.__name__.rpartition('.')[2]}")
    for module in (divisive_norm, gated_dilated_conv2d, local_variance)
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11, torch.float16: 2e-3}
DILATIONS = [1, 2, 4]


def poisoned(make):
    return lambda *args, **kwargs: make(*args, **kwargs).fill_(float("nan"))


def report(what, ours, expected, dtype):
    error = (ours.double() - expected).abs()
    if not bool((error <= TOLERANCE[dtype] * (1 + expected.abs())).all()):
        print(what, dtype, tuple(ours.shape), ours.stride(), f"off by {error.max():.1e}")


def check(x, dtype):
    grad = torch.randn_like(x)
    wide, wide_grad = x.double(), grad.double()
    for size in (1, 3, 5):
        norm, variance = plain["divisive_norm"], plain["local_variance"]
        report("divisive_norm", divisive_norm.forward(x, size, 0.1), norm._forward(wide, size, 0.1), dtype)
        ours = divisive_norm.backward(grad, x, size, 0.1)
        report("divisive_norm backward", ours, norm._backward(wide_grad, wide, size, 0.1), dtype)
        report("local_variance", local_variance.forward(x, size), variance._forward(wide, size), dtype)
        ours = local_variance.backward(grad, x, size)
        report("local_variance backward", ours, variance._backward(wide_grad, wide, size), dtype)

    n, c, h, w = x.shape
    weight, bias = torch.randn(c, 1, 3, 3).to(dtype), torch.randn(c).to(dtype)
    gate = torch.rand(n, 3, h, w).to(dtype)
    leaves = [t.double().requires_grad_() for t in (x, weight, gate)]
    expected = plain["gated_dilated_conv2d"]._forward(leaves[0], leaves[1], bias.double(), leaves[2], DILATIONS)
    report("gated", gated_dilated_conv2d.forward(x, weight, bias, gate, DILATIONS), expected.detach(), dtype)
    ours = gated_dilated_conv2d.forward(x, weight, None, gate, DILATIONS)
    report("gated without bias", ours, (expected - bias.double().view(1, -1, 1, 1)).detach(), dtype)
    gradients = gated_dilated_conv2d.backward(grad, x, weight, gate, DILATIONS)
    for name, ours, want in zip("xwg", gradients, torch.autograd.grad(expected, leaves, wide_grad), strict=True):
        report(f"gated backward {name}", ours, want, dtype)


def main():
    assert not isinstance(divisive_norm.divisive_norm_kernel, triton.JITFunction), "TRITON_INTERPRET=1 came too late"
    torch.manual_seed(0)
    torch.empty_like, torch.empty = poisoned(torch.empty_like), poisoned(torch.empty)
    for dtype in TOLERANCE:
        for shape in ((2, 3, 5, 7), (1, 1, 1, 1), (2, 5, 1, 4), (1, 33, 4, 4)):
            check(torch.randn(shape).to(dtype), dtype)
        check(torch.randn(2, 3, 5, 4).to(dtype).to(memory_format=torch.channels_last), dtype)
        check(torch.randn(2, 6, 9, 8).to(dtype)[:, ::2, ::2, 1::2], dtype)


if __name__ == "__main__":
    main()
