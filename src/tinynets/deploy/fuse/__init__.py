"""Nets for inference: `folding` takes norms into convolutions, `recursive` holds what our blocks become, `replacements`
says what takes whose place, `traversal` goes through a net."""

from .traversal import fuse

__all__ = ["fuse"]
