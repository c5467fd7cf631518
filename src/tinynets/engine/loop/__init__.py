"""The loop: one step, an epoch, a run; alone or with other processes."""

from .run import Run, build_model
from .train import train
from .workers import Workers, workers

__all__ = ["Run", "Workers", "build_model", "train", "workers"]
