import re
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from tinynets._checks import unknown

_LAYERS: dict[str, type[nn.Module]] = {}
LayerClass = TypeVar("LayerClass", bound=type[nn.Module])


def register_layer(cls: LayerClass) -> LayerClass:
    """Class decorator that makes a layer known to `create_layer` under the snake_case of its class name.

    Raises:
        TypeError: cls is not a class derived from torch.nn.Module.
        ValueError: another class holds the name already.
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise TypeError(f"only classes derived from torch.nn.Module can be registered, got {cls!r}")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
    if name in _LAYERS:
        raise ValueError(f"layer {name!r} is registered already, by {_LAYERS[name].__module__}: rename the class")
    _LAYERS[name] = cls
    return cls


def create_layer(name: str, **kwargs: Any) -> nn.Module:
    """Build a registered layer: `create_layer("divisive_norm", kernel_size=5)`.

    Raises:
        ValueError: no layer has that name; the nearest names are in the message.
        TypeError: the layer does not take one of the arguments, or lacks one.
    """
    if name not in _LAYERS:
        raise unknown("layer", name, _LAYERS)
    layer: Callable[..., nn.Module] = _LAYERS[name]
    return layer(**kwargs)


def list_layers() -> list[str]:
    """Names that `create_layer` takes, sorted."""
    return sorted(_LAYERS)
