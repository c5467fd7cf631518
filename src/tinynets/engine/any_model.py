from typing import Any

import timm

from tinynets._checks import unknown
from tinynets.models import create_model, list_models

_HUBS = ("hf-hub:", "hf_hub:", "local-dir:")


def create_any_model(name: str, **kwargs: Any) -> Any:
    """Create a tinynets model or any other timm model, such as "hf-hub:user/model".

    Args:
        name: name of the model.
        **kwargs: arguments of timm.create_model.

    Raises:
        ValueError: the name is unknown.
        Exception: the model rejects an argument, or its pretrained weights could not be downloaded.
    """
    if not is_known(name):
        raise unknown("model", name, [*list_models(), *timm.list_models()])
    return create_model(name, **kwargs) if is_ours(name) else timm.create_model(name, **kwargs)


def is_ours(name: str) -> bool:
    return name.split(".")[0] in list_models()


def is_known(name: str) -> bool:
    """Whether `create_any_model` accepts the name."""
    return is_ours(name) or name.startswith(_HUBS) or timm.is_model(name)
