"""tinynets: compact image classifiers as timm models, their layers, and the engine that trains them."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import analysis, deploy, layers, models, ops
from .analysis import count_parameters, receptive_field, summary
from .deploy import fuse
from .layers import create_layer, list_layers, register_layer
from .models import create_model, list_models

if TYPE_CHECKING:
    from . import engine
    from .engine import Trained

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


def load(name: str | Path, **model_args: Any) -> "Trained":
    """Load a trained model by name, run directory or checkpoint file. Alias of `tinynets.engine.load_trained`.

    Args:
        name: name of a model with weights, run directory, or checkpoint file.
        **model_args: further arguments of the model's class; only for model names.

    Returns:
        The model in evaluation mode, with its metadata.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: weights are missing or damaged. What timm raises for a download that fails is passed on.
        ValueError: the name is unknown, the model has no weights, or the file is not a tinynets checkpoint.

    Examples:
        >>> import torch, tinynets
        >>> digit = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        >>> len(tinynets.load("simplecnn_mnist").predict(digit, top=2)[0])
        2
    """
    from .engine import load_trained

    return load_trained(name, **model_args)


def __getattr__(name: str) -> Any:
    if name == "engine":  # imported on first use, because it imports torchvision
        return importlib.import_module("tinynets.engine")
    raise AttributeError(f"module 'tinynets' has no attribute {name!r}")
