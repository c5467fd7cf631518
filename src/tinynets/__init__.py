"""tinynets: compact image classifiers as timm models, their layers, and the engine that trains them."""

import importlib
from typing import TYPE_CHECKING, Any

from . import analysis, deploy, layers, models, ops
from .analysis import count_parameters, receptive_field, summary
from .deploy import fuse
from .layers import create_layer, list_layers, register_layer
from .models import create_model, list_models

if TYPE_CHECKING:
    from . import engine
    from .engine import load_trained as load

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "analysis",
    "count_parameters",
    "create_layer",
    "create_model",
    "deploy",
    "engine",
    "fuse",
    "layers",
    "list_layers",
    "list_models",
    "load",
    "models",
    "ops",
    "receptive_field",
    "register_layer",
    "summary",
]


def __getattr__(name: str) -> Any:
    if name in ("engine", "load"):  # imported on first use, because the engine imports torchvision
        engine = importlib.import_module("tinynets.engine")
        return engine if name == "engine" else engine.load_trained
    raise AttributeError(f"module 'tinynets' has no attribute {name!r}")
