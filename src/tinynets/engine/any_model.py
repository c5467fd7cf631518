import inspect
import re
import sys
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
        TypeError: the model has no such argument.
        ValueError: the name is unknown, or the model rejects an argument.
        RuntimeError: pretrained weights do not exist or could not be downloaded.
    """
    if not is_known(name):
        raise unknown("model", name, [*list_models(), *timm.list_models()])
    try:
        return create_model(name, **kwargs) if is_ours(name) else timm.create_model(name, **kwargs)
    except TypeError as error:
        raise TypeError(_accepted(name, error) or f"{name}: {_reason(error)}") from error
    except AssertionError as error:
        raise ValueError(f"invalid arguments for {name}: {_reason(error)}") from error
    except (ValueError, RuntimeError) as error:
        if is_ours(name):
            raise
        raise type(error)(f"{name}: {_reason(error)}") from error
    except Exception as error:  # errors of downloads differ between libraries
        raise RuntimeError(
            f"the weights of {name} could not be downloaded ({_reason(error)}): connect to the internet, or use a "
            "local checkpoint"
        ) from error


def _accepted(name: str, error: TypeError) -> str:
    """Extend the message of an unknown-argument error with the arguments that the model's class accepts."""
    unexpected = re.fullmatch(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'.*", _reason(error))
    if not (unexpected and timm.is_model(name)):
        return ""
    cls = getattr(sys.modules[timm.models.model_entrypoint(name).__module__], unexpected[1], None)
    accepted = [p for p in inspect.signature(cls).parameters if p not in ("device", "dtype")] if cls else []
    return f"{name} has no argument {unexpected[2]!r}: it accepts {', '.join(accepted)}" if accepted else ""


def is_ours(name: str) -> bool:
    return name.split(".")[0] in list_models()


def is_known(name: str) -> bool:
    """Whether `create_any_model` accepts the name."""
    return is_ours(name) or name.startswith(_HUBS) or timm.is_model(name)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
