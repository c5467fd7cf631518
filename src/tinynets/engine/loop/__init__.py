"""The training loop, for one or several processes."""

from ._train import train
from .build import model_for_data
from .distributed import DistributedContext, distributed_context
from .run import Run

__all__ = ["DistributedContext", "Run", "model_for_data", "distributed_context", "train"]
