"""The file format of torch.export, which PyTorch runs without this library."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..export_spec import ExportSpec


def write(spec: ExportSpec, path: Path, calibration: np.ndarray | None) -> None:
    """Write a program with a dynamic batch size."""
    del calibration
    batch = torch.export.Dim("batch", max=1 << 31)  # without a bound, torch 2.7 cannot export ECNet
    program = torch.export.export(spec.network(), (spec.example(2),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)


def load(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    del threads  # in PyTorch the number of threads is set for the whole process
    module = torch.export.load(path).module()

    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(batch)).numpy()

    return run
