"""File formats, one per module, which writes a model and runs the file in the format's own runtime."""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinynets._checks import unknown

from ..firmware import compiler


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: name of the format.
        suffix: suffix of its files.
        module: module in this folder with `write(spec, path, calibration)` and `load(path, threads)`.
        torch: minimum version of PyTorch for writing it.
        extra: this package's extra with its optional dependencies.
        packages: the packages that must be importable.
        c_source: whether it is a folder of C sources, compiled by the system's C compiler, always with pixel input.
        exact: whether its module has `load_reference(path)`, whose output must be reproduced bitwise.
        integer: whether weights and activations are int8, which requires calibration images.

    Examples:
        >>> from tinynets.deploy import FORMATS
        >>> FORMATS["onnx"].suffix
        '.onnx'
    """

    name: str
    suffix: str
    module: str
    torch: str = "2.7"
    extra: str = ""
    packages: tuple[str, ...] = ()
    integer: bool = False
    c_source: bool = False
    exact: bool = False

    def installed(self) -> bool:
        """Whether `require` raises no error."""
        try:
            self.require()
        except ImportError:
            return False
        return True

    def require(self) -> None:
        """Raise ImportError, with the installation command, unless the format is installed."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise ImportError(
                f"{self.name} needs {', '.join(missing)}, which is not installed: pip install 'tinynets[{self.extra}]'"
            )
        if torch.__version__ < f"{self.torch}.0a0":  # alpha versions, as in NVIDIA's containers, have the release's API
            raise ImportError(f"{self.name} needs PyTorch {self.torch} or newer, {torch.__version__} is installed")
        if self.c_source and compiler.find_compiler() is None:
            raise ImportError(f"{self.name} needs a C compiler to test the code: install gcc or clang, or set CC")

    def write(self, spec: Any, path: Path, calibration: np.ndarray | None) -> None:
        """Write a model to path.

        Args:
            spec: the model and its metadata.
            path: the file to write.
            calibration: calibration images in the form of the file's input, for integer formats.
        """
        self._module().write(spec, path, calibration)

    def load(self, path: Path, threads: int = 1) -> Any:
        """Load a file into its runtime; return a function from a batch of `ExportSpec.inputs` to logits."""
        return self._module().load(path, threads)

    def load_reference(self, path: Path) -> Any:
        """Load the reference of an exact format; return the same kind of function as `load`."""
        return self._module().load_reference(path)

    def _module(self) -> Any:
        self.require()
        return importlib.import_module(f".{self.module}", __name__)


_ONNX = ("onnx", "onnxscript", "onnxruntime")
_LITERT = ("litert_torch", "ai_edge_litert")
_BAKENN = (*_LITERT, "ai_edge_quantizer", "bakenn", "tflite")

FORMATS = {
    format.name: format
    for format in (
        Format("onnx", ".onnx", "onnx", "2.8", "onnx", _ONNX),
        Format("onnx-int8", ".onnx", "onnx_int8", "2.8", "onnx", _ONNX, integer=True),
        Format("tflite", ".tflite", "tflite", "2.7", "litert", _LITERT),
        Format("tflite-int8", ".tflite", "tflite_int8", "2.7", "litert", (*_LITERT, "ai_edge_quantizer"), integer=True),
        Format("c", "", "c_int8", "2.7", "c", _BAKENN, integer=True, c_source=True, exact=True),
        Format("c-fp32", "", "c_fp32", "2.8", "c", ("onnx", "onnxscript", "emx_onnx_cgen"), c_source=True),
        Format("pt2", ".pt2", "pt2"),
        Format("executorch", ".pte", "executorch", "2.7", "executorch", ("executorch",)),
    )
}
"""The formats that `export` writes, by name."""


def find_format(name: str) -> Format:
    """Find a format by name.

    Args:
        name: one of `FORMATS`.

    Returns:
        The format.

    Raises:
        ValueError: there is no such format.

    Examples:
        >>> from tinynets.deploy import find_format
        >>> find_format("tflite-int8").integer
        True
    """
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]
