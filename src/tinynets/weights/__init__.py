"""The trained weights inside the package and the manifest that says what each of them is."""

from .manifest import Weights, check_weights, find_weights, list_weights, read_manifest

__all__ = ["Weights", "check_weights", "find_weights", "list_weights", "read_manifest"]
