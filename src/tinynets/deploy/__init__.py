"""Deployment: models fused for inference in PyTorch, and exported to files for other runtimes."""

from .benchmark import RUNTIMES, Timing, bench
from .exporter import Exported, export
from .formats import FORMATS, find_format
from .inference import fuse
from .shipped import artifact

__all__ = ["FORMATS", "RUNTIMES", "Exported", "Timing", "artifact", "bench", "export", "find_format", "fuse"]
