"""ONNX, run by ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinynets._files import to_json

from ..export_spec import ExportSpec
from ..inference.onnx_functions import DOMAIN, OPSET, OnnxFunctions
from ..quiet import quiet


def write(spec: ExportSpec, path: Path, calibration: np.ndarray | None) -> None:
    """Write an ONNX file with a dynamic batch size, and normalization and class names in its metadata."""
    del calibration
    import onnx_ir

    model = graph(spec)
    model.metadata_props.update(metadata(spec))
    model.producer_name = "tinynets"
    onnx_ir.save(model, path)


def graph(spec: ExportSpec, blocked: bool = True) -> Any:
    """Export the model to an onnx_ir graph with the layers of tinynets as functions; blocked: see `OnnxFunctions`."""
    import onnx
    import onnx_ir
    from onnxscript import optimizer

    batch = torch.export.Dim("batch")
    functions = OnnxFunctions(blocked)
    with quiet():
        program = torch.onnx.export(
            functions.installed(spec.network()),
            (spec.example(2),),
            dynamo=True,
            dynamic_shapes=({0: batch},),
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    model = program.model
    for text in functions.definitions.values():
        function = onnx_ir.from_proto(onnx.parser.parse_function(text))
        model.functions[function.identifier()] = function
    if functions.definitions:
        model.opset_imports[DOMAIN] = 1
    with quiet():  # no constant folding: the folded constants would be larger than their inputs
        optimizer.optimize_ir(model, inline=False, input_size_limit=0)
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
    for value in (*model.graph.initializers.values(), *model.graph.inputs, *model.graph.outputs):
        value.metadata_props.clear()
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    return model


def metadata(spec: ExportSpec) -> dict[str, str]:
    """Return the file's metadata as JSON strings."""
    return {
        "model": spec.name,
        "class_names": to_json(spec.class_names),
        "mean": to_json(spec.mean),
        "std": to_json(spec.std),
        "input": "pixels, uint8, NHWC" if spec.pixels else "float32, NCHW, (pixel / 255 - mean) / std",
    }


def load(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})[0]
