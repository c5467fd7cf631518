"""One way from a name or a file to a trained model and what it knows: normalisation, image size, class names."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn

from tinynets._checks import unknown
from tinynets._guest import plain_defaults
from tinynets.models import list_models
from tinynets.weights import find_weights

from .any_model import create_any_model, is_known, is_ours
from .data import ImageData
from .record import Checkpoint, load_checkpoint, read_checkpoint


@dataclass(frozen=True)
class Trained:
    """A model with weights, in evaluation mode, and the facts about it.

    name: what it was asked for by.
    """

    name: str
    model: Any
    facts: Checkpoint


def load_trained(name: str | Path, model: nn.Module | None = None, **model_args: Any) -> Trained:
    """The trained model of that name or in that file.

    Args:
        name: a model that ships weights, or any that timm has weights for ("resnet18.a1_in1k", "hf-hub:user/model"); a
            checkpoint that `train` wrote, or its run directory, which stands for the weights of the last epoch.
        model: for a checkpoint of a module of the user's own: that module.
        model_args: further arguments of the model's class, for names only.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: weights are missing, damaged or could not be downloaded.
        ValueError: unknown name, a model that ships no weights, or a file that is no checkpoint of ours.
    """
    path = checkpoint_path(name)
    if path is None:
        with plain_defaults():
            net = create_any_model(str(name), pretrained=True, **model_args).eval()
        return Trained(str(name), net, facts_of(str(name), net, model_args))
    if model_args:
        given = ", ".join(model_args)
        raise ValueError(f"{name} is a checkpoint, which says how its model is built: leave out {given}")
    net, facts = load_checkpoint(path, model)
    return Trained(str(name), net, facts)


def checkpoint_path(name: str | Path) -> Path | None:
    """The file that a name of trained weights means, None for the name of a model.

    Raises:
        ValueError: it is neither.
    """
    path = Path(name)
    if isinstance(name, str) and is_ours(name):
        return None
    if path.is_dir() and (path / "last.safetensors").exists():
        return path / "last.safetensors"
    if path.is_file() or path.suffix == ".safetensors":
        return path
    if is_known(str(name)):
        return None
    if len(path.parts) > 1:
        raise FileNotFoundError(f"no weights file at {path}")
    raise unknown("model or checkpoint", str(name), list_models())


def facts_of(name: str, model: Any, model_args: dict[str, Any]) -> Checkpoint:
    """What is known about a model's pretrained weights."""
    weights = find_weights(name.split(".")[0]) if is_ours(name) else None
    if weights is not None:
        return read_checkpoint(weights.path)[1]
    cfg = getattr(model, "pretrained_cfg", None) or {}
    if not (cfg.get("mean") and cfg.get("std")):
        raise ValueError(
            f"{name} does not say how its images are normalised: give it a pretrained_cfg with mean and std"
        )
    size = cfg.get("input_size")
    names = tuple(cfg.get("label_names") or _imagenet_names(model))
    return Checkpoint(
        name, model_args, "", tuple(cfg["mean"]), tuple(cfg["std"]), names, tuple(size[1:]) if size else None
    )


def match_data(data: ImageData, trained: Trained, resize: bool = True) -> ImageData:
    """The data as the model knows them: its classes in its order, found by name, its channels and its image size.

    resize: False leaves the images' size alone.

    Raises:
        ValueError: the data have classes that the model does not know.
    """
    facts = trained.facts
    order = class_order(data.class_names, facts.class_names)
    if order is None:
        if facts.class_names or data.num_classes != trained.model.num_classes:
            known = _listed(facts.class_names) if facts.class_names else f"{trained.model.num_classes} classes"
            raise ValueError(
                f"{data.name} has the classes {_listed(data.class_names)}, {trained.name} knows {known}: name data "
                "with its classes (--data)"
            )
        names = data.class_names  # nobody knows what its classes are called
    else:
        names = facts.class_names
    channels = in_chans_of(trained)
    size = tuple(facts.img_size) if resize and facts.img_size else data.img_size
    return replace(data.changed(order, channels, (size[0], size[1])), class_names=names, mean=facts.mean, std=facts.std)


def in_chans_of(trained: Trained) -> int:
    return len(trained.facts.mean)


def class_order(names: tuple[str, ...], known: tuple[str, ...]) -> list[int] | None:
    """Where each of the names is among those known; None if any is not, or none are known.

    torchvision's "5 - five" of MNIST is "5", and ImageNet's "n02123045 tabby, tabby cat" its number.
    """
    places = {_short(name): index for index, name in enumerate(known)}
    short = [_short(name) for name in names]
    return [places[name] for name in short] if known and set(short) <= places.keys() else None


def _short(name: str) -> str:
    if (digit := re.fullmatch(r"(\d) - [a-z]+", name)) or (digit := re.fullmatch(r"(n\d{8}) .*", name)):
        return digit[1]
    return name


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")


def _imagenet_names(model: Any) -> list[str]:
    """Number and name of every class, if the model has as many classes as ImageNet or one of its larger forms."""
    if (subset := infer_imagenet_subset(model)) is None:
        return []
    info = ImageNetInfo(subset)
    described = info.label_descriptions(as_dict=True)
    assert isinstance(described, dict)
    return [f"{label} {described[label]}" for label in info.label_names()]
