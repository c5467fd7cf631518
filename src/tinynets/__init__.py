"""tinynets: compact image classifiers as timm models, their layers, and the engine that trains them."""

from . import analysis, deploy, layers, models, ops
from .analysis import count_parameters, receptive_field, summary
from .deploy import fuse
from .layers import create_layer, list_layers, register_layer
from .models import create_model, list_models

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "analysis",
    "count_parameters",
    "create_layer",
    "create_model",
    "deploy",
    "fuse",
    "layers",
    "list_layers",
    "list_models",
    "models",
    "ops",
    "receptive_field",
    "register_layer",
    "summary",
]
