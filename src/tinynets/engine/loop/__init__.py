"""Training: one step, an epoch, a run, with one or several processes."""

from .build import build_model
from .processes import Workers, workers
from .run import Run
from .training import train

__all__ = ["Run", "Workers", "build_model", "train", "workers"]
