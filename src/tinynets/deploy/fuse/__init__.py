"""Nets for inference: `folding` takes norms into convolutions, `recursive` holds what our blocks become, `replacements`
says what takes whose place, `fuse` goes through a net."""

from .fuse import fuse

__all__ = ["fuse"]
