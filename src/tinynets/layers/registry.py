import re
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from tinynets._checks import unknown

_LAYERS: dict[str, type[nn.Module]] = {}
LayerClass = TypeVar("LayerClass", bound=type[nn.Module])


def register_layer(cls: LayerClass) -> LayerClass:
    """Class decorator that registers a layer for `create_layer` under the snake_case form of its class name.

    Args:
        cls: a class derived from torch.nn.Module.

    Returns:
        cls itself.

    Raises:
        TypeError: cls is not a class derived from torch.nn.Module.
        ValueError: another class is registered under that name.

    Examples:
        >>> import torch, tinynets
        >>> @tinynets.register_layer
        ... class DoubleScale(torch.nn.Module):
        ...     def forward(self, x):
        ...         return 2 * x
        >>> tinynets.create_layer("double_scale")(torch.ones(2))
        tensor([2., 2.])
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise TypeError(f"only classes derived from torch.nn.Module can be registered, got {cls!r}")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
    if name in _LAYERS:
        raise ValueError(f"layer {name!r} is registered already, by {_LAYERS[name].__module__}: rename the class")
    _LAYERS[name] = cls
    return cls


def create_layer(name: str, **kwargs: Any) -> nn.Module:
    """Create a registered layer by name.

    Args:
        name: one of `list_layers()`.
        **kwargs: arguments of the layer's class.

    Returns:
        The layer.

    Raises:
        ValueError: there is no layer of that name. The message suggests the closest names.
        TypeError: an argument is unknown or missing.

    Examples:
        >>> import tinynets
        >>> tinynets.create_layer("divisive_norm", kernel_size=5)
        DivisiveNorm(kernel_size=5, eps=0.001)
    """
    if name not in _LAYERS:
        raise unknown("layer", name, _LAYERS)
    layer: Callable[..., nn.Module] = _LAYERS[name]
    return layer(**kwargs)


def list_layers() -> list[str]:
    """List the names of all registered layers, sorted.

    Returns:
        The names.

    Examples:
        >>> import tinynets
        >>> "divisive_norm" in tinynets.list_layers()
        True
    """
    return sorted(_LAYERS)
