"""The loop: one step, an epoch, a run; alone or with other processes."""

from .build import build_model
from .processes import Workers, workers
from .run import Run
from .training import train

__all__ = ["Run", "Workers", "build_model", "train", "workers"]
