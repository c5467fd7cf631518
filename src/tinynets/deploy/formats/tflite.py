"""TFLite, written by litert-torch and run by LiteRT."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..export_spec import ExportSpec
from ..quiet import quiet
from ..tflite_metadata import with_metadata


def write(spec: ExportSpec, path: Path, calibration: np.ndarray | None) -> None:
    """Write a TFLite file with batch size 1 and channels-last input."""
    del calibration
    convert(spec, spec.example(1), path)
    path.write_bytes(with_metadata(path.read_bytes(), spec))


def convert(spec: ExportSpec, example: Tensor, path: Path) -> None:
    network: nn.Module = spec.network()
    with quiet():
        import litert_torch

        if not spec.pixels:
            network = litert_torch.to_channel_last_io(network, args=[0]).eval()
            example = example.permute(0, 2, 3, 1)
        litert_torch.convert(network, (example,)).export(str(path))


def load(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    one, input_details, output_details = _interpreter(path, num_threads=threads)

    def run(batch: np.ndarray) -> np.ndarray:
        images = quantized(as_nhwc(batch, input_details["shape"]), input_details)
        return dequantized(np.concatenate([one(image[None]) for image in images]), output_details)

    return run


def load_integers(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from pixels to an int8 file's integer outputs, computed by LiteRT's reference kernels."""
    from ai_edge_litert.interpreter import OpResolverType

    reference = OpResolverType.BUILTIN_REF
    one, _, _ = _interpreter(path, num_threads=1, experimental_op_resolver_type=reference)
    return lambda pixels: np.concatenate(
        [one((image[None].astype(np.int16) - 128).astype(np.int8)) for image in pixels]
    )


def _interpreter(path: Path, **options: Any) -> tuple[Callable[[np.ndarray], np.ndarray], Any, Any]:
    """Load a file into LiteRT; return a function of one image, and the details of its input and output."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_path=str(path), **options)
        interpreter.allocate_tensors()
    input_details, output_details = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def one(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(input_details["index"], image)
        interpreter.invoke()
        return interpreter.get_tensor(output_details["index"]).copy()

    return one, input_details, output_details


def as_nhwc(batch: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Convert a batch to channels last if shape is (N, H, W, C)."""
    return batch if batch.shape[1:] == tuple(shape[1:]) else np.ascontiguousarray(batch.transpose(0, 2, 3, 1))


def quantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Convert values to a tensor's dtype, quantizing them if it is an integer dtype."""
    scale, zero_point = details["quantization"]
    if not scale:
        return values.astype(details["dtype"])
    limits = np.iinfo(details["dtype"])
    rounded = np.rint(values.astype(np.float32) / np.float32(scale)) + zero_point
    return rounded.clip(limits.min, limits.max).astype(details["dtype"])


def dequantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero_point = details["quantization"]
    return values if not scale else np.float32(scale) * (values.astype(np.float32) - zero_point)
