"""tinynets: compact image classifiers as timm models, their layers, and the engine that trains them."""

from . import layers, models, ops
from .layers import create_layer, list_layers, register_layer
from .models import create_model, list_models

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "create_layer",
    "create_model",
    "layers",
    "list_layers",
    "list_models",
    "models",
    "ops",
    "register_layer",
]
