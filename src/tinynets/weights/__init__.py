"""The trained weights inside the package, the manifest that says what each of them is, files of weights,
and the nets of others that ours are measured against."""

from .files import check_shapes, load_into, read_state, read_weights, save_weights
from .manifest import Weights, check_weights, find_weights, list_weights, read_manifest
from .peers import Peer, list_peers

__all__ = [
    "Peer",
    "Weights",
    "check_shapes",
    "check_weights",
    "find_weights",
    "list_peers",
    "list_weights",
    "load_into",
    "read_manifest",
    "read_state",
    "read_weights",
    "save_weights",
]
