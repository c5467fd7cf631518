"""Writing a model in a format, and running the file, before anybody relies on it."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .export_spec import ExportSpec
from .formats import Format


def write_draft(kind: Format, spec: ExportSpec, path: Path, calibration: Tensor | None) -> float:
    """Write the file; return the duration of the conversion in seconds."""
    inputs = None if calibration is None else spec.inputs(calibration.cpu()).numpy()
    started = time.perf_counter()
    try:
        with torch.no_grad():
            kind.write(spec, path, inputs)
    except (ImportError, MemoryError, OSError):
        raise
    except Exception as error:
        raise RuntimeError(f"{spec.name} cannot be written as {kind.name}: {_first_reason(error)}") from error
    return time.perf_counter() - started


def run_file(kind: Format, path: Path, spec: ExportSpec, images: Tensor) -> np.ndarray:
    """Compute the logits of a file in its own runtime."""
    try:
        run = kind.load(path)
        return np.concatenate([run(spec.inputs(batch.cpu()).numpy()) for batch in images.split(250)])
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise RuntimeError(f"the {kind.name} file of {spec.name} does not run: {_first_reason(error)}") from error


def _first_reason(error: BaseException) -> str:
    """Return the first line of the message of the root exception of a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
