"""The loop: one step, an epoch, a run; alone or with other processes."""

from .build import build_model
from .run import Run
from .train import train
from .workers import Workers, workers

__all__ = ["Run", "Workers", "build_model", "train", "workers"]
