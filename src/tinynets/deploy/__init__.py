"""What a trained model becomes when it is only to be used."""

from .fuse import fuse

__all__ = ["fuse"]
