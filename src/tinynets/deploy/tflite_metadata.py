"""TFLite metadata, as read by mobile apps, viewers and Android's code generators.

The file gains a buffer with the table ModelMetadata and an appended zip archive with labels.txt, one class per line.

Source: metadata_schema.fbs of TensorFlow Lite (https://ai.google.dev/edge/litert/conversion/tensorflow/metadata).
"""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from tinynets._text import printable

from .export_spec import ExportSpec

LABELS = "labels.txt"
_RGB, _GRAY, _IMAGE, _NORMALIZATION, _AXIS_LABELS = 1, 2, 2, 1, 2  # enumerations of the schema


def with_metadata(content: bytes, spec: ExportSpec) -> bytes:
    """Add metadata to a .tflite file, and move all weights into its flatbuffer.

    Above 256 KiB of weights ai-edge-quantizer stores them after the flatbuffer, where LiteRT finds them but TensorFlow
    Lite Micro does not: it silently uses the content of its arena as weights.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    buffer: Any = schema.BufferT()
    buffer.data = list(_model_metadata(spec))
    entry: Any = schema.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    if spec.class_names:
        with zipfile.ZipFile(file, "a") as archive:  # readers locate a zip archive from the end of the file
            labels = "".join(f"{printable(name)}\n" for name in spec.class_names)
            archive.writestr(zipfile.ZipInfo(LABELS), labels)  # fixed timestamp, 1980: equal nets give equal files
    return file.getvalue()


def _model_metadata(spec: ExportSpec) -> bytes:
    import flatbuffers

    b = flatbuffers.Builder()
    channels, height, width = spec.input_size
    size = _table(b, (0, "Uint32", width), (1, "Uint32", height))
    image = _table(b, (0, "Uint8", _GRAY if channels == 1 else _RGB), (1, "UOffsetTRelative", size))
    content = _table(b, (0, "Uint8", _IMAGE), (1, "UOffsetTRelative", image))
    mean, std = ((0.0,) * channels, (1.0,) * channels) if spec.pixels else (spec.mean, spec.std)
    scale = 1 if spec.pixels else 255
    vectors = (_vector(b, "Float32", [scale * value for value in values]) for values in (mean, std))
    normalization = _table(b, *((slot, "UOffsetTRelative", vector) for slot, vector in enumerate(vectors)))
    unit = _table(b, (0, "Uint8", _NORMALIZATION), (1, "UOffsetTRelative", normalization))
    image = _tensor(b, "image", (3, content), (4, _vector(b, "UOffsetTRelative", [unit])))
    labels = _table(b, (0, "UOffsetTRelative", b.CreateString(LABELS)), (2, "Uint8", _AXIS_LABELS))
    label_files = [(6, _vector(b, "UOffsetTRelative", [labels]))] if spec.class_names else []
    logits = _tensor(b, "logits", *label_files)
    tensors = [_vector(b, "UOffsetTRelative", [tensor]) for tensor in (image, logits)]
    graph = _table(b, (2, "UOffsetTRelative", tensors[0]), (3, "UOffsetTRelative", tensors[1]))
    name, graphs = b.CreateString(printable(spec.name)), _vector(b, "UOffsetTRelative", [graph])
    b.Finish(_table(b, (0, "UOffsetTRelative", name), (3, "UOffsetTRelative", graphs)), b"M001")
    return bytes(b.Output())


def _tensor(b: Any, name: str, *parts: tuple[int, int]) -> int:
    text = b.CreateString(name)
    return _table(b, (0, "UOffsetTRelative", text), *((slot, "UOffsetTRelative", part) for slot, part in parts))


def _table(b: Any, *fields: tuple[int, str, int]) -> int:
    """Write a table with (slot, type, value) fields."""
    b.StartObject(1 + max(slot for slot, _, _ in fields))
    for slot, kind, value in fields:
        getattr(b, f"Prepend{kind}Slot")(slot, value, 0)
    return b.EndObject()


def _vector(b: Any, kind: str, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        getattr(b, f"Prepend{kind}")(value)
    return b.EndVector()
