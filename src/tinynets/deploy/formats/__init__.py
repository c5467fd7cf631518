"""The file formats, one a file: each writes a model and runs what it wrote by the format's own runtime."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinynets._checks import unknown


@dataclass(frozen=True)
class Format:
    """A file format.

    suffix: of its files.
    module: the file in this folder, with `write(source, path, calibration)` and `load(path, threads)`. The latter
        gives a function of a batch, as `Source.inputs` makes it, that returns its logits.
    torch: the lowest version of PyTorch that can write it.
    extra: the optional dependencies that it needs, and packages, those that are looked for.
    integer: its weights and activations are 8-bit integers, whose ranges are found on calibration images.
    """

    name: str
    suffix: str
    module: str
    torch: tuple[int, int] = (2, 7)
    extra: str = ""
    packages: tuple[str, ...] = ()
    integer: bool = False

    def installed(self) -> bool:
        return not self._missing() and _torch_version() >= self.torch

    def require(self) -> None:
        """Raise ImportError, in one line with the command that helps, if a package is missing."""
        if missing := self._missing():
            raise ImportError(
                f"{self.name} needs {', '.join(missing)}, which is not installed: pip install 'tinynets[{self.extra}]'"
            )
        if _torch_version() < self.torch:
            wanted = ".".join(map(str, self.torch))
            raise ImportError(f"{self.name} needs PyTorch {wanted} or newer, {torch.__version__} is installed")

    def write(self, source: Any, path: Path, calibration: np.ndarray | None) -> None:
        self._module().write(source, path, calibration)

    def load(self, path: Path, threads: int = 1) -> Any:
        return self._module().load(path, threads)

    def _missing(self) -> list[str]:
        return [name for name in self.packages if importlib.util.find_spec(name) is None]

    def _module(self) -> Any:
        self.require()
        return importlib.import_module(f".{self.module}", __name__)


def _torch_version() -> tuple[int, int]:
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


_ONNX = ("onnx", "onnxscript", "onnxruntime")
_LITERT = ("litert_torch", "ai_edge_litert")

FORMATS = {
    format.name: format
    for format in (
        Format("onnx", ".onnx", "onnx", (2, 8), "onnx", _ONNX),
        Format("onnx-int8", ".onnx", "onnx_int8", (2, 8), "onnx", _ONNX, integer=True),
        Format("tflite", ".tflite", "tflite", (2, 7), "litert", _LITERT),
        Format(
            "tflite-int8", ".tflite", "tflite_int8", (2, 7), "litert", (*_LITERT, "ai_edge_quantizer"), integer=True
        ),
        Format("pt2", ".pt2", "pt2"),
        Format("executorch", ".pte", "executorch", (2, 7), "executorch", ("executorch",)),
    )
}


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]
