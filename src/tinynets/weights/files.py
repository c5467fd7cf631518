import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from timm.models import load_state_dict
from torch import Tensor, nn

from tinynets._files import write_file

_KEY = "tinynets"


def save_weights(path: str | Path, state: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and JSON facts as one safetensors file: complete under its name, or not there at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_file(path, save(tensors, metadata={_KEY: json.dumps(facts)}))


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a file that `save_weights` wrote. Nothing in the file is ever executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, is cut short, or holds no tinynets facts.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is not a readable safetensors file ({error}): it may be cut short; copy or train it again"
        ) from error
    if _KEY not in metadata:
        raise ValueError(f"{path} was not written by tinynets: load it with timm or safetensors instead")
    return state, json.loads(metadata[_KEY])


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of any file of weights that timm reads: safetensors or torch.save, never executing what is in it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        return load_state_dict(str(path), weights_only=True)
    except Exception as error:  # each format's reader has errors of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a readable file of weights ({reason}): copy or train it again") from error


def load_into(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """load_state_dict(strict=True) whose refusal is one line.

    Raises:
        ValueError: names or shapes differ, as they do when the weights are another architecture's.
    """
    own = model.state_dict()
    missing, extra = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or extra:
        example = sorted(missing or extra)[0]
        raise ValueError(
            f"{source} is of another architecture than {type(model).__name__}: {len(missing)} tensors missing, "
            f"{len(extra)} unknown (such as {example}): build the model it was made from"
        )
    check_shapes(model, state, source)
    model.load_state_dict(state)


def check_shapes(model: nn.Module, state: dict[str, Tensor], source: str, adaptable: tuple[str, ...] = ()) -> None:
    """Raise ValueError unless every tensor of state that the model knows has the model's shape.

    adaptable: prefixes of names whose shapes may differ.
    """
    for name, tensor in model.state_dict().items():
        if name in state and state[name].shape != tensor.shape and not name.startswith(adaptable):
            raise ValueError(
                f"{source} does not fit the model: {name} is {tuple(state[name].shape)} there and "
                f"{tuple(tensor.shape)} here: build the model with the arguments the weights were made with"
            )
