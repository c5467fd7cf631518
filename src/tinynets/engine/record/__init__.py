"""The files of a training run (run directory, checkpoints and state) and the progress display."""

from .checkpoint import Checkpoint, load_checkpoint, read_checkpoint, save_checkpoint
from .progress import ProgressBar
from .run_dir import SPLIT, RunDir, read_metrics
from .summary import environment

__all__ = [
    "SPLIT",
    "Checkpoint",
    "RunDir",
    "ProgressBar",
    "environment",
    "load_checkpoint",
    "read_checkpoint",
    "read_metrics",
    "save_checkpoint",
]
