"""TFLite with 8-bit integers, quantised by ai-edge-quantizer, run by LiteRT and by LiteRT Micro."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from ..source import Source
from .onnx import quiet
from .tflite import as_nhwc, convert, load

__all__ = ["load", "write"]


def write(source: Source, path: Path, calibration: np.ndarray | None) -> None:
    """A TFLite file whose input, weights, activations and output are int8; with `pixels` the input is pixel - 128."""
    from ai_edge_quantizer import quantizer, recipe

    assert calibration is not None
    channels, height, width = source.input_size
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain = Path(folder) / "plain.tflite"
        convert(source, source.example(1).to(torch.float32)).export(str(plain))
        job = quantizer.Quantizer(str(plain), recipe.static_wi8_ai8())
        images = as_nhwc(calibration, np.array([1, height, width, channels])).astype(np.float32)
        name, taken = _signature(plain)
        ranges = job.calibrate({name: [{taken: image[None]} for image in images]}, num_threads=1)
        path.write_bytes(job.quantize(ranges).quantized_model)


def _signature(path: Path) -> tuple[str, str]:
    """Name of the file's only signature and of its only input."""
    from ai_edge_litert.interpreter import Interpreter

    ((name, signature),) = Interpreter(model_path=str(path)).get_signature_list().items()
    return name, signature["inputs"][0]
