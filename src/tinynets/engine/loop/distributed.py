"""The processes of a training run: a single one, or those started by torchrun."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class DistributedContext:
    """Collective operations of a run's processes, all of them no-ops for a single process.

    Args:
        rank: index of this process.
        world_size: number of processes.
        device: device of this process.

    Examples:
        >>> import torch
        >>> from tinynets.engine.loop import DistributedContext
        >>> distributed = DistributedContext(rank=1, world_size=2, device=torch.device("cpu"))
        >>> distributed.is_main, distributed.local_slice(128)
        (False, slice(64, 128, None))
    """

    def __init__(self, rank: int, world_size: int, device: torch.device) -> None:
        self.rank, self.world_size, self.device = rank, world_size, device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files, validates and prints."""
        return self.rank == 0

    def broadcast(self, value: Any) -> Any:
        """Broadcast the main process's value to all processes and return it."""
        if self.world_size == 1:
            return value
        objects = [value]
        dist.broadcast_object_list(objects, src=0, device=self.device)
        return objects[0]

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes in place and return it."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def local_slice(self, batch_size: int) -> slice:
        """Return the slice of a batch that this process handles."""
        each = batch_size // self.world_size
        return slice(self.rank * each, (self.rank + 1) * each)

    def parallel(self, model: nn.Module, find_unused: bool) -> nn.Module:
        """Wrap the model so that gradients are averaged over all processes.

        Args:
            model: the model.
            find_unused: whether some parameters may receive no gradient, such as those of steps skipped by a depth
                warm-up.
        """
        if self.world_size == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, find_unused_parameters=find_unused)


@contextmanager
def distributed_context(device: str | torch.device) -> Iterator[DistributedContext]:
    """Join the process group of torchrun, if any. On CUDA each process uses the device of its local rank.

    Args:
        device: device to train on.

    Yields:
        The processes, as a `DistributedContext`.

    Raises:
        ValueError: WORLD_SIZE names several processes, but torchrun's other variables are missing.

    Examples:
        >>> from tinynets.engine.loop import distributed_context
        >>> with distributed_context("cpu") as distributed:
        ...     distributed.world_size
        1
    """
    device = torch.device(device)
    count = 1 if dist.is_initialized() else int(os.environ.get("WORLD_SIZE") or 1)
    if count == 1 or dist.is_initialized():
        rank, count = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        yield DistributedContext(rank, count, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield DistributedContext(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()
