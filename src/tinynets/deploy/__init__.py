"""What a trained model becomes for use: fused, and as files of other runtimes."""

from .benchmark import RUNTIMES, Timing, bench
from .exporter import Exported, export
from .formats import FORMATS, find_format
from .fuse import fuse
from .shipped import artifact

__all__ = ["FORMATS", "RUNTIMES", "Exported", "Timing", "artifact", "bench", "export", "find_format", "fuse"]
