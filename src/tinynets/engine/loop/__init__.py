"""Training: one step, an epoch, a run, with one or several processes."""

from .build import build_model
from .distributed import DistributedContext, distributed_context
from .run import Run
from .training import train

__all__ = ["DistributedContext", "Run", "build_model", "distributed_context", "train"]
