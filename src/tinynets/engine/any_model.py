from typing import Any

import timm

from tinynets._checks import unknown
from tinynets.models import create_model, list_models


def create_any_model(name: str, **kwargs: Any) -> Any:
    """One of our models, or any other that timm knows, as a user's own once it is registered there.

    Raises:
        ValueError: unknown name, or arguments the model refuses.
    """
    if name.split(".")[0] in list_models():
        return create_model(name, **kwargs)
    if timm.is_model(name):
        return timm.create_model(name, **kwargs)
    raise unknown("model", name, list_models())
