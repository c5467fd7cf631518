"""Models for inference.

`folding` folds norms into convolutions. `recursive` holds the fused forms of our recursive blocks. `replacements` maps
classes to their fused forms. `traversal` walks through a model.
"""

from .traversal import fuse

__all__ = ["fuse"]
