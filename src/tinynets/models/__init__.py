"""Image classifiers, one file per family, registered with timm."""

from .c1c2c3c4o import C1C2C3C4O
from .ecnet import ECNet
from .egrr import EGRR
from .factory import create_model, full_name, list_models
from .mote import Mote
from .optimized200k import Optimized200K
from .simplecnn import SimpleCNN

__all__ = [
    "C1C2C3C4O",
    "ECNet",
    "EGRR",
    "Mote",
    "Optimized200K",
    "SimpleCNN",
    "create_model",
    "full_name",
    "list_models",
]
