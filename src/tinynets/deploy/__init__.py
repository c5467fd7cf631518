"""Models for use: fused for PyTorch, and as files for other runtimes."""

from ._fuse import fuse
from .benchmark import RUNTIMES, Timing, bench
from .exporter import Exported, export
from .formats import FORMATS, find_format
from .shipped import artifact

__all__ = ["FORMATS", "RUNTIMES", "Exported", "Timing", "artifact", "bench", "export", "find_format", "fuse"]
