"""ExecuTorch's .pte for phones, with XNNPACK's kernels, written and run by executorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..quiet import quiet
from ..source import Source


def write(source: Source, path: Path, calibration: np.ndarray | None) -> None:
    """Write a program that takes one image."""
    del calibration
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # pyright: ignore[reportMissingImports]
        from executorch.exir import to_edge_transform_and_lower  # pyright: ignore[reportMissingImports]

        program = torch.export.export(source.network(), (source.example(1),))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)


def load(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    del threads  # the runtime has its own thread pool
    with quiet():
        from executorch.runtime import Runtime  # pyright: ignore[reportMissingImports]

        method = Runtime.get().load_program(path).load_method("forward")
    assert method is not None

    def run(batch: np.ndarray) -> np.ndarray:
        return np.concatenate([method.execute([torch.from_numpy(image[None])])[0].numpy() for image in batch])

    return run
