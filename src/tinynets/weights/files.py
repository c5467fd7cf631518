import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tinynets._context import plain_defaults
from tinynets._files import to_json, write_file
from tinynets._modules import unwrapped

_KEY = "tinynets"


def save_weights(path: str | Path, state: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write tensors and metadata to a safetensors file atomically.

    Args:
        path: the file to write.
        state: tensors by name.
        metadata: JSON-serializable values by name.

    Raises:
        OSError: the file cannot be written.

    Examples:
        >>> import torch
        >>> from tinynets.weights import read_weights, save_weights
        >>> save_weights("net.safetensors", {"bias": torch.zeros(2)}, {"epochs": 3})
        >>> read_weights("net.safetensors")
        ({'bias': tensor([0., 0.])}, {'epochs': 3})
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_file(path, save(tensors, metadata={_KEY: to_json(metadata)}))


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file written by `save_weights`, without executing any code in it.

    Args:
        path: the file.

    Returns:
        Its tensors by name, on the CPU, and its metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a safetensors file, is truncated, or was not written by tinynets.

    Examples:
        >>> from tinynets.weights import find_weights, read_weights
        >>> state, metadata = read_weights(find_weights("simplecnn_mnist").path)
        >>> metadata["data"]
        'mnist'
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        with plain_defaults(), safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        if path.suffix != ".safetensors":
            raise ValueError(
                f"{path} is not a checkpoint: pass a model name, a run directory or a .safetensors file of tinynets "
                "(exported files are run by their own runtimes)"
            ) from error
        raise ValueError(
            f"{path} is not a readable safetensors file ({error}): it may be truncated; copy or train it again"
        ) from error
    if _KEY not in metadata:
        raise ValueError(f"{path} was not written by tinynets: load it with timm or safetensors instead")
    return state, json.loads(metadata[_KEY])


def load_into(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load tensors into a model like load_state_dict(strict=True), with one-line error messages.

    Args:
        model: the model.
        state: tensors by name.
        source: description of the weights in error messages.

    Raises:
        ValueError: names or shapes do not match the model.

    Examples:
        >>> import torch
        >>> from tinynets.weights import load_into
        >>> layer = torch.nn.Linear(2, 1, bias=False)
        >>> load_into(layer, {"weight": torch.ones(1, 2)}, "my weights")
        >>> layer(torch.ones(2)).item()
        2.0
    """
    model = unwrapped(model)
    own = model.state_dict()
    missing, unexpected = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or unexpected:
        example = sorted(missing or unexpected)[0]
        raise ValueError(
            f"{source} is of another architecture than {type(model).__name__}: {len(missing)} tensors missing, "
            f"{len(unexpected)} unexpected (such as {example}): create the model that was saved"
        )
    check_shapes(model, state, source)
    model.load_state_dict(state)


def check_shapes(model: nn.Module, state: dict[str, Tensor], source: str, adaptable: tuple[str, ...] = ()) -> None:
    """Check that the shapes of tensors match those of a model's tensors of the same name.

    Args:
        model: the model.
        state: tensors by name.
        source: description of the weights in error messages.
        adaptable: name prefixes of tensors that are exempt.

    Raises:
        ValueError: a shape differs.

    Examples:
        >>> import torch
        >>> from tinynets.weights import check_shapes
        >>> check_shapes(torch.nn.Linear(2, 1), {"weight": torch.ones(1, 2)}, "my weights")
    """
    for name, tensor in model.state_dict().items():
        if name in state and state[name].shape != tensor.shape and not name.startswith(adaptable):
            raise ValueError(
                f"{source} does not fit the model: {name} has shape {tuple(state[name].shape)}, "
                f"expected {tuple(tensor.shape)}: create the model with the arguments of the saved one"
            )
