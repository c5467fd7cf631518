"""Creation and initialization of the model of a run."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from tinynets._context import evaluation_mode
from tinynets.engine.any_model import create_any_model
from tinynets.engine.data import ImageData
from tinynets.engine.recipes import Recipe
from tinynets.engine.record import Checkpoint, read_checkpoint
from tinynets.engine.trained import checkpoint_path, class_order, load_trained
from tinynets.models import full_name
from tinynets.weights import find_weights, load_into

_OF_THE_DATA = ("num_classes", "in_chans", "img_size", "drop_rate")


def model_for_data(name: str, data: ImageData, recipe: Recipe, model_args: dict[str, Any] | None) -> tuple[Any, dict]:
    """Create a new model for a data set.

    Args:
        name: name of a tinynets or timm model.
        data: the data set, which determines classes, channels and, for models with a fixed input size, the image size.
        recipe: the recipe, which determines seed and dropout.
        model_args: further arguments of the model's class.

    Returns:
        The model, and the arguments that create it again.

    Raises:
        ValueError: the name is unknown.

    Examples:
        >>> from tinynets.engine import get_recipe, load_data
        >>> from tinynets.engine.loop import model_for_data
        >>> model, args = model_for_data("simplecnn_mnist", load_data("digits"), get_recipe("simplecnn_mnist"), None)
        >>> args
        {'num_classes': 10, 'in_chans': 1, 'img_size': (8, 8)}
    """
    args: dict[str, Any] = {"num_classes": data.num_classes, "in_chans": data.in_chans}
    cfg = timm.models.get_pretrained_cfg(name)
    if cfg is not None and cfg.fixed_input_size:
        args["img_size"] = data.img_size
    if recipe.drop_rate is not None:
        args["drop_rate"] = recipe.drop_rate
    args |= model_args or {}
    torch.default_generator.manual_seed(recipe.seed)  # torch.manual_seed would change other devices' generators too
    return create_any_model(name, **args), args


def check_fit(model: nn.Module, name: str, data: ImageData) -> None:
    """Raise ValueError, before training starts, if the model cannot process the images or has other classes."""
    device = next(model.parameters()).device
    image = torch.zeros(2, data.in_chans, *data.img_size, device=device)
    size = f"{data.in_chans}x{data.img_size[0]}x{data.img_size[1]}"
    try:
        with evaluation_mode(model), torch.no_grad():
            logits = model(image)
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name} cannot process the images of {data.name}, {size} ({reason}): choose another size (--img-size) or "
            "another model"
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != (2, data.num_classes):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"{name} returns {got} for 2 images, but {data.name} has {data.num_classes} classes: it must return "
            f"logits of shape (2, {data.num_classes})"
        )


@dataclass(frozen=True)
class Start:
    """Initial weights of a run, with their metadata."""

    name: str
    state: dict[str, Tensor]
    metadata: Checkpoint

    @property
    def model_args(self) -> dict[str, Any]:
        """Arguments of the model's class that do not follow from the data."""
        return {key: value for key, value in self.metadata.model_args.items() if key not in _OF_THE_DATA}

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """The only supported (H, W), None for any."""
        cfg = None if self.metadata.own_module else timm.models.get_pretrained_cfg(self.metadata.model)
        return self.metadata.img_size if cfg is not None and cfg.fixed_input_size else None

    def adapt_data(self, data: ImageData) -> ImageData:
        """Return the data with the weights' normalization, and their image size if the model has a fixed one."""
        return adapt_to_checkpoint(data, self.metadata, resize=self.fixed_size is not None)

    def load(self, model: Any, data: ImageData) -> str:
        """Load the weights into a model for other classes and channels; return a summary of what was transferred."""
        state, target = dict(self.state), model.state_dict()
        notes = []
        layer = classifier_of(model)
        head = next((name for name, module in model.named_modules() if module is layer), None)
        order = class_order(data.class_names, self.metadata.class_names)
        same = order is not None and len(order) == len(self.metadata.class_names)
        for key in [key for key in state if head and key.startswith(f"{head}.")]:
            if same and key in target:
                state[key] = state[key][order]
            else:
                state[key] = target.get(key, state[key])
        if head and not same:
            notes.append(f"new classifier for {data.num_classes} classes")
        first = next((f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Conv2d)), None)
        if first in state and state[first].shape[1] != target[first].shape[1]:
            notes.append(f"input adapted from {state[first].shape[1]} to {target[first].shape[1]} channels")
            state[first] = adapt_channels(state[first], target[first].shape[1])
        load_into(model, state, self.name)
        if head and not same:
            _zero_last_layer(layer)
        loaded = sum(torch.equal(tensor.cpu(), self.state[key]) for key, tensor in target.items() if key in self.state)
        trained_on = f", trained on {self.metadata.data}" if self.metadata.data else ""
        changes = "".join(f"; {part}" for part in notes)
        return (
            f"starts from {self.name} ({self.metadata.model}{trained_on}): {loaded} of {len(target)} tensors loaded"
            f"{changes}; optimizer, schedule and random state are new"
        )


def _zero_last_layer(classifier: Any) -> None:
    """Start at equal logits; models initialized for ImageNet's classes may start at so large ones that they are slow.

    Norms and earlier layers of the classifier keep their initialization, without which the layer would not learn.
    """
    last = [m for m in classifier.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1:]
    for parameter in (p for m in last for p in m.parameters()):
        nn.init.zeros_(parameter)


def find_start(name: str | Path) -> Start:
    """Find weights by name or file like `load_trained`; checkpoints of user-defined modules need no module here."""
    path = checkpoint_path(name)
    weights = find_weights(full_name(str(name))) if path is None else None
    if path is None and weights is None:
        trained = load_trained(name)
        return Start(str(name), trained.model.state_dict(), trained.metadata)
    state, metadata = read_checkpoint(path or weights.path)  # pyright: ignore[reportOptionalMemberAccess]
    return Start(str(path.absolute()) if path else str(name), state, metadata)


def adapt_to_checkpoint(data: ImageData, metadata: Checkpoint, resize: bool) -> ImageData:
    """Return the data with a checkpoint's normalization, adapted to the channels, and optionally its image size."""
    size = metadata.img_size if resize and metadata.img_size else data.img_size
    mean, std = metadata.mean, metadata.std
    if len(mean) != data.in_chans:
        mean, std = (((sum(values) / len(values)),) * data.in_chans for values in (mean, std))
    return dataclasses.replace(data.changed(None, data.in_chans, (size[0], size[1])), mean=mean, std=std)


def adapt_channels(weight: Tensor, in_chans: int) -> Tensor:
    """Adapt the kernels of a first convolution to other channels; equal channels give the same output as before."""
    old_chans = weight.shape[1]
    if old_chans == 3:
        return adapt_input_conv(in_chans, weight)
    if in_chans == 1:
        return weight.sum(1, keepdim=True)
    return weight.repeat(1, -(-in_chans // old_chans), 1, 1)[:, :in_chans] * (old_chans / in_chans)


def classifier_of(model: Any) -> nn.Module | None:
    """Return the layer that computes the logits, None if the model does not specify it."""
    layer = model.get_classifier() if hasattr(model, "get_classifier") else None
    return layer if isinstance(layer, nn.Module) and next(layer.parameters(), None) is not None else None


def freeze_backbone(model: nn.Module) -> list[nn.Module]:
    """Freeze all parameters except the classifier's; return the norms whose statistics must not change."""
    if (classifier := classifier_of(model)) is None:
        raise ValueError(
            f"freeze=backbone needs a get_classifier() that returns a layer, {type(model).__name__} has none"
        )
    trainable = set(classifier.modules())
    model.requires_grad_(False)
    classifier.requires_grad_(True)
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase) and m not in trainable]
