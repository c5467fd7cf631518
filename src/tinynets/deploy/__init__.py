"""What a trained model becomes for use: fused, and as files of other runtimes."""

from .exporter import Exported, export
from .formats import FORMATS, find_format
from .fuse import fuse

__all__ = ["FORMATS", "Exported", "export", "find_format", "fuse"]
