"""The CUDA kernels without a GPU: interpreted, and compiled ahead of time; with one, against the CPU."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from tinynets import ops

triton = pytest.importorskip("triton")
MODULES = ("divisive_norm", "gated_dilated_conv2d", "local_variance")
CONSTANTS = {
    "EPS": 1e-3,
    "RADIUS": 1,
    "KERNEL": 3,
    "GATES": 3,
    "DILATIONS": 1 | 2 << 10 | 4 << 20,
    "CENTRE_ONLY": 4,
    "GATED": True,
    "HAS_BIAS": True,
    "BLOCK_PIXELS": 16,
    "BLOCK_CHANNELS": 16,
    "GATES_PADDED": 4,
    "TAPS_PADDED": 16,
}
INTERMEDIATES = ("direct_ptr", "through_ptr", "shift_ptr", "parts_ptr")


TARGETS = [(capability, dtype) for capability in (80, 90) for dtype in ("fp32", "fp16", "bf16", "fp64")]


def kernels():
    for name in MODULES:
        module = importlib.import_module(f"tinynets.ops._triton.{name}")
        for attribute, kernel in vars(module).items():
            if attribute.endswith("_kernel") and isinstance(kernel, triton.JITFunction):
                yield pytest.param(kernel, id=attribute)


@pytest.mark.parametrize("options", [[], pytest.param(["--all"], marks=pytest.mark.slow)])
def test_interpreted_kernels_equal_the_formulas(options):
    program = Path(__file__).with_name("triton_interpreted.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, program, *options], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("kernel", list(kernels()))
@pytest.mark.parametrize(
    ("capability", "dtype"),
    [(80, "fp32"), *(pytest.param(*case, marks=pytest.mark.slow) for case in TARGETS if case != (80, "fp32"))],
)
def test_compiles_ahead_of_time(kernel, capability, dtype, tmp_path, monkeypatch):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = {name: CONSTANTS[name] for name in kernel.arg_names if name in CONSTANTS}
    signature = {}
    for name in kernel.arg_names:
        element = "fp32" if name in INTERMEDIATES and dtype != "fp64" else dtype
        signature[name] = "constexpr" if name in constants else f"*{element}" if name.endswith("_ptr") else "i32"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Triton's own, about future defaults
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert compiled.asm["cubin"][:4] == b"\x7fELF"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [5, 24, 96])
def test_on_a_gpu(dtype, memory_format, channels):
    x = torch.randn(4, channels, 9, 8).to(memory_format=memory_format)
    weight, gate = torch.randn(channels, 1, 3, 3), torch.rand(4, 3, 9, 8)
    tolerance = 1e-4 if dtype == torch.float32 else 3e-2
    for op, inputs in (
        (ops.divisive_norm, [x]),
        (ops.local_variance, [x]),
        (lambda x, w, g: ops.gated_dilated_conv2d(x, w, None, g, [1, 2, 4]), [x, weight, gate]),
        (lambda x, w: ops.depthwise_conv2d(x, w, None, 3), [x, weight]),
    ):
        here = [t.to(dtype).float().detach().requires_grad_() for t in inputs]
        there = [t.detach().to("cuda", dtype).requires_grad_() for t in inputs]
        expected, got = op(*here), op(*there)
        grad = torch.randn_like(expected).to(dtype)
        expected.backward(grad.float())
        got.backward(grad.cuda())
        for a, b in zip([got, *(t.grad for t in there)], [expected, *(t.grad for t in here)], strict=True):
            error, largest = (a.float().cpu() - b).abs().max().item(), b.abs().max().item()
            torch.testing.assert_close(
                a.float().cpu(),
                b,
                rtol=tolerance,
                atol=tolerance * largest,
                msg=lambda text, error=error, largest=largest: f"largest error {error:.3g} of {largest:.3g}: {text}",
            )


class OnCuda:
    is_cuda, is_cpu, device = True, False, torch.device("cuda")


def test_kernels_can_be_disabled(monkeypatch):
    from tinynets.ops import _dispatch

    monkeypatch.setattr(_dispatch, "_triton_enabled", True)
    assert _dispatch.on_triton(OnCuda())
    assert _dispatch.custom_ops_apply(OnCuda())
    assert not _dispatch.on_triton(torch.ones(1))
    ops.use_triton(False)
    assert not _dispatch.on_triton(OnCuda())
    assert not _dispatch.custom_ops_apply(OnCuda())  # the plain formula, by torch's own autograd
    ops.use_triton(True)
    assert _dispatch.on_triton(OnCuda())
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not _dispatch.custom_ops_apply(OnCuda())  # torch.compile fuses the formula itself


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("0", False), ("", False), ("1", True)])
def test_the_environment_disables_them(value, wanted, monkeypatch):
    from tinynets.ops import _dispatch

    monkeypatch.delenv("TINYNETS_TRITON", raising=False)
    if value is not None:
        monkeypatch.setenv("TINYNETS_TRITON", value)
    spec = importlib.util.spec_from_file_location("tinynets.ops._another_dispatch", _dispatch.__file__)
    another = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(another)
    assert another._triton_enabled == wanted
