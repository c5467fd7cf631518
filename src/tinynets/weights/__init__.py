"""The trained weights shipped with the package, their manifest, and functions for weights files."""

from .files import check_shapes, load_into, read_weights, save_weights
from .manifest import Weights, check_weights, find_weights, list_weights, read_manifest

__all__ = [
    "Weights",
    "check_shapes",
    "check_weights",
    "find_weights",
    "list_weights",
    "load_into",
    "read_manifest",
    "read_weights",
    "save_weights",
]
