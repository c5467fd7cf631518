"""ExecuTorch's .pte for mobile devices, with XNNPACK's kernels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..export_spec import ExportSpec
from ..quiet import quiet


def write(spec: ExportSpec, path: Path, calibration: np.ndarray | None) -> None:
    """Write a program with batch size 1."""
    del calibration
    with quiet():
        path.write_bytes(lowered(spec).to_executorch().buffer)


def lowered(spec: ExportSpec) -> Any:
    """Lower the program, delegating subgraphs to XNNPACK."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # pyright: ignore[reportMissingImports]
    from executorch.exir import to_edge_transform_and_lower  # pyright: ignore[reportMissingImports]
    from executorch.exir.passes.constant_prop_pass import constant_prop_pass  # pyright: ignore[reportMissingImports]

    program = torch.export.export(spec.network(), (spec.example(1),))
    program = constant_prop_pass(program)  # XNNPACK supports only constant convolution weights, not products
    return to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])


def load(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    del threads  # the runtime has its own thread pool
    with quiet():
        from executorch.runtime import Runtime  # pyright: ignore[reportMissingImports]

        method = Runtime.get().load_program(path).load_method("forward")
    assert method is not None

    def run(batch: np.ndarray) -> np.ndarray:
        return np.concatenate([method.execute([torch.from_numpy(image[None])])[0].numpy() for image in batch])

    return run
