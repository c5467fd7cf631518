from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tinynets._context import plain_defaults
from tinynets._modules import own_config, unwrapped
from tinynets.engine.any_model import create_any_model
from tinynets.weights import load_into, read_weights, save_weights


@dataclass(frozen=True)
class Checkpoint:
    """Metadata of a checkpoint: how to create the model, and the data that it was trained on.

    Attributes:
        model: name of the model; class name for a user-defined module.
        model_args: arguments of `create_model`.
        data: name of the data set.
        mean: mean of the normalization, per channel.
        std: standard deviation of the normalization, per channel.
        class_names: names of the classes in the order of the logits; empty if unknown.
        img_size: (H, W) of the images, None if unknown.
        results: metrics of the last epoch.
        data_source: arguments of `load_data` that load the data again, with an absolute path.
        data_sha256: `ImageData.digest` of the data.
        started_from: name or file of the initial weights, None for random weights.
        own_module: whether the model is a user-defined module, which must then be passed to `load_checkpoint`.

    Examples:
        >>> from tinynets.engine import Checkpoint
        >>> Checkpoint("simplecnn_mnist", {}, "mnist", (0.13,), (0.31,), ()).own_module
        False
    """

    model: str
    model_args: dict[str, Any]
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    img_size: tuple[int, ...] | None = None
    results: dict[str, Any] = field(default_factory=dict)
    data_source: dict[str, Any] | None = None
    data_sha256: str | None = None
    started_from: str | None = None
    own_module: bool = False

    @classmethod
    def from_dict(cls, metadata: dict[str, Any], source: str) -> "Checkpoint":
        """Create a Checkpoint from the metadata of a weights file.

        Args:
            metadata: the metadata.
            source: description of the file in error messages.

        Raises:
            ValueError: the metadata are invalid.
        """
        metadata = {name: value for name, value in metadata.items() if name != "format"}  # the shipped files have it
        sequences = {
            name: tuple(metadata[name]) for name in ("mean", "std", "class_names", "img_size") if metadata.get(name)
        }
        try:
            return cls(**{"class_names": (), **metadata, **sequences})
        except TypeError as error:
            raise ValueError(
                f"{source} is not a tinynets checkpoint, or one of a newer version: update tinynets"
            ) from error


def save_checkpoint(path: str | Path, model: nn.Module, checkpoint: Checkpoint) -> None:
    """Write a model's tensors and metadata to a safetensors file atomically.

    Args:
        path: the file to write.
        model: the model.
        checkpoint: the metadata.

    Raises:
        OSError: the file cannot be written.

    Examples:
        >>> import tinynets
        >>> from tinynets.engine import Checkpoint, load_checkpoint, save_checkpoint
        >>> model = tinynets.create_model("simplecnn_mnist")
        >>> save_checkpoint("net.safetensors", model, Checkpoint("simplecnn_mnist", {}, "mnist", (0.13,), (0.31,), ()))
        >>> load_checkpoint("net.safetensors")[1].data
        'mnist'
    """
    save_weights(path, unwrapped(model).state_dict(), asdict(checkpoint))


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], Checkpoint]:
    """Read the tensors and metadata of a checkpoint without creating the model.

    Args:
        path: the file.

    Returns:
        Tensors by name, and the metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not a tinynets checkpoint.

    Examples:
        >>> from tinynets.engine.record import read_checkpoint
        >>> from tinynets.weights import find_weights
        >>> read_checkpoint(find_weights("simplecnn_mnist").path)[1].model
        'simplecnn_mnist'
    """
    state, metadata = read_weights(path)
    return state, Checkpoint.from_dict(metadata, str(path))


def load_checkpoint(path: str | Path, model: nn.Module | None = None) -> tuple[nn.Module, Checkpoint]:
    """Create the model of a checkpoint and load its weights.

    Args:
        path: the file.
        model: module to load the tensors into instead; required for checkpoints of user-defined modules.

    Returns:
        The model in evaluation mode, and the metadata.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or is not a tinynets checkpoint; its tensors do not match the model; or it
            requires a module and model is None.

    Examples:
        >>> from tinynets.engine import load_checkpoint
        >>> from tinynets.weights import find_weights
        >>> model, metadata = load_checkpoint(find_weights("simplecnn_mnist").path)
        >>> model.num_classes, metadata.data
        (10, 'mnist')
    """
    state, checkpoint = read_checkpoint(path)
    if model is None:
        if checkpoint.own_module:
            raise ValueError(
                f"{path} contains the weights of a custom module, {checkpoint.model}: create it in Python and "
                "load them with tinynets.engine.load_trained(path, model=...)"
            )
        with plain_defaults():
            model = create_any_model(checkpoint.model, **checkpoint.model_args)
        assert model is not None
    load_into(model, state, str(path))
    configure(model, checkpoint)
    return model.eval(), checkpoint


def configure(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's metadata about images and classes to the model's `pretrained_cfg`, for timm."""
    size = {"input_size": (len(checkpoint.mean), *checkpoint.img_size)} if checkpoint.img_size else {}
    model = unwrapped(model)
    classes = list(checkpoint.class_names)
    names = {"label_names": classes or None, "num_classes": len(classes) or getattr(model, "num_classes", None)}
    resize = {"crop_pct": 1.0, "crop_mode": "center", "interpolation": "bilinear"}
    own_config(model, **size, **names, **resize, mean=checkpoint.mean, std=checkpoint.std)
