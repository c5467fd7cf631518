"""Capture methods for a model (tracing, scripting, export), run at another batch size than captured.

    python tests/captures.py [method ...]

prints the largest difference to the model's own logits: method x model x form x batch size.
"""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

import tinynets

# 70 of these images are more than one chunk for the ops
NARROW: dict[str, dict[str, Any]] = {
    "ecnet_cifar10": {"channels": 16, "iterations": 3},
    "egrr_cifar100": {"channels": (16, 24), "num_steps": (1, 2), "strides": (1, 2)},
}
Program = Callable[[Tensor], Tensor]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the output of exporters: deprecation warnings, and lines on stdout."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def narrow(name: str, fused: bool) -> nn.Module:
    torch.manual_seed(0)
    model = tinynets.create_model(name, **NARROW.get(name, {"width": 0.5})).eval()
    return tinynets.fuse(model) if fused else model.requires_grad_(False)


def traced(model: nn.Module, x: Tensor) -> Program:
    return torch.jit.trace(model, x)


def scripted(model: nn.Module, x: Tensor) -> Program:
    with quiet():  # scripting is deprecated, but supported
        return torch.jit.script(model)


def by_fx(model: nn.Module, x: Tensor) -> Program:
    return torch.fx.symbolic_trace(model)


def exported(model: nn.Module, x: Tensor) -> Program:
    shapes = ({0: torch.export.Dim("batch", min=2, max=4096)},)
    return torch.export.export(model, (x,), dynamic_shapes=shapes).module()


def by_make_fx(model: nn.Module, x: Tensor) -> Program:
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(model, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)


def by_vmap(model: nn.Module, x: Tensor) -> Program:
    return torch.func.vmap(lambda image: model(image.unsqueeze(0))[0])


def under_a_default_device(model: nn.Module, x: Tensor) -> Program:
    def call(x: Tensor) -> Tensor:
        with torch.device("meta"):
            return model(x)

    return call


def by_forward_derivatives(model: nn.Module, x: Tensor) -> Program:
    from torch.autograd import forward_ad

    def call(x: Tensor) -> Tensor:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(model(forward_ad.make_dual(x, torch.ones_like(x)))).primal

    return call


def onnx_by_trace(model: nn.Module, x: Tensor) -> Program:
    """torch.onnx.export as it was by default before torch 2.9."""
    file = io.BytesIO()
    axes = {"x": {0: "batch"}, "y": {0: "batch"}}
    with quiet():
        torch.onnx.export(
            model, (x,), file, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes, opset_version=17
        )
    return in_onnxruntime(file.getvalue())


def onnx_by_export(model: nn.Module, x: Tensor) -> Program:
    shapes = ({0: torch.export.Dim("batch", min=2, max=4096)},)
    with quiet():
        program: Any = torch.onnx.export(model, (x,), dynamo=True, dynamic_shapes=shapes, verbose=False)
    return in_onnxruntime(program.model_proto.SerializeToString())


def in_onnxruntime(model: bytes) -> Program:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])


METHODS = [
    traced,
    scripted,
    by_fx,
    exported,
    by_make_fx,
    by_vmap,
    under_a_default_device,
    by_forward_derivatives,
    onnx_by_trace,
    onnx_by_export,
]
ONNX = (onnx_by_trace, onnx_by_export)


def main() -> None:
    print("largest logit difference; captured at 5 images, run at 70 and at 2")
    print(f"{'method':24} {'model':22} {'form':6} {'at 70':>9} {'at 2':>9}")
    for method in (method for method in METHODS if not sys.argv[1:] or method.__name__ in sys.argv[1:]):
        for name in tinynets.list_models():
            for fused in (False, True):
                model = narrow(name, fused)
                size = model.pretrained_cfg["input_size"]  # pyright: ignore[reportCallIssue, reportIndexIssue]
                with torch.no_grad(), quiet():
                    program = method(model, torch.randn(5, *size))
                    off = [
                        float((program(x) - model(x)).abs().max())
                        for x in (torch.randn(70, *size), torch.randn(2, *size))
                    ]
                form = "fused" if fused else "plain"
                print(f"{method.__name__:24} {name:22} {form:6} {off[0]:9.1e} {off[1]:9.1e}", flush=True)


if __name__ == "__main__":
    main()
