"""Loading of trained models by name or file, with their normalization, image size and class names."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timm.data import resolve_data_config
from torch import Tensor, nn
from torchvision.datasets import MNIST

from tinynets._checks import unknown
from tinynets._context import plain_defaults
from tinynets._modules import image_size_of
from tinynets.models import full_name, list_models
from tinynets.weights import find_weights

from .any_model import create_any_model, is_known, is_ours
from .augment import Normalize
from .data import ImageData, read_images
from .evaluation import predict
from .record import Checkpoint, load_checkpoint, read_checkpoint

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A model with weights, in evaluation mode.

    Attributes:
        name: the name or file it was loaded from.
        model: the model.
        metadata: its normalization, image size, class names and other metadata.

    Examples:
        >>> from tinynets.engine import load_trained
        >>> load_trained("simplecnn_mnist").metadata.img_size
        (28, 28)
    """

    name: str
    model: Any
    metadata: Checkpoint

    @property
    def in_chans(self) -> int:
        """Number of input channels."""
        return len(self.metadata.mean)

    @property
    def config(self) -> dict[str, Any]:
        """Preprocessing of photos: timm's crop_pct, crop_mode and interpolation."""
        cfg = resolve_data_config({}, model=self.model)
        return {key: cfg[key] for key in ("crop_pct", "crop_mode", "interpolation")}

    @property
    def img_size(self) -> tuple[int, int]:
        """Input size (H, W)."""
        size = image_size_of(self.model)
        if size is None:
            raise ValueError(f"the image size of {self.name} is unknown: set input_size in its pretrained_cfg")
        return size

    @property
    def mode(self) -> str:
        """Pillow mode of the input: "L" for one channel, "RGB" for three."""
        mode = {1: "L", 3: "RGB"}.get(self.in_chans)
        if mode is None:
            raise ValueError(f"{self.name} expects {self.in_chans}-channel images: image files have 1 or 3")
        return mode

    def predict(
        self, images: str | Path | Sequence[str | Path] | Tensor, top: int = 3, batch_size: int = 256
    ) -> list[Any]:
        """Classify images.

        Transparent pixels of files are composited on the background that the model was trained with.

        Args:
            images: an image file, several of them, or uint8 (N, C, H, W).
            top: number of classes to return.
            batch_size: images per forward pass.

        Returns:
            (class name, probability) pairs of the top classes in descending order; for several images a list of these.

        Raises:
            ValueError: a file cannot be read (one-line message with its name).

        Examples:
            >>> from PIL import Image
            >>> import tinynets
            >>> Image.new("L", (28, 28)).save("nothing.png")
            >>> len(tinynets.load("simplecnn_mnist").predict("nothing.png"))
            3
        """
        if isinstance(images, str | Path):
            return self.predict([images], top, batch_size)[0]
        if isinstance(images, Tensor):
            logits = predict(self.model, images, Normalize(self.metadata.mean, self.metadata.std), batch_size)
            names = self.metadata.class_names or tuple(map(str, range(logits.shape[1])))
            probabilities, classes = logits.softmax(1).topk(min(top, logits.shape[1]), dim=1)
            pairs = zip(classes.tolist(), probabilities.tolist(), strict=True)
            return [[(names[c], p) for c, p in zip(*pair, strict=True)] for pair in pairs]
        background = (self.metadata.data_source or {}).get("background", "white")
        predictions = []
        for start in range(0, len(images), batch_size):
            paths = images[start : start + batch_size]
            pixels, failed = read_images(paths, self.mode, self.img_size, background, config=self.config)
            for reason in failed.values():
                raise ValueError(reason)
            predictions += self.predict(pixels, top, batch_size)
        return predictions


def load_trained(name: str | Path, model: nn.Module | None = None, **model_args: Any) -> Trained:
    """Load a trained model by name or from a file.

    Args:
        name: name of a tinynets model with weights or of a pretrained timm model ("resnet18.a1_in1k",
            "hf-hub:user/model"), a checkpoint of `train`, or a run directory, for the weights of its last epoch.
        model: module to load the weights into, for checkpoints of user-defined modules.
        **model_args: further arguments of the model's class; only for model names.

    Returns:
        The model in evaluation mode, with its metadata.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: weights are missing or damaged. What timm raises for a download that fails is passed on.
        ValueError: the name is unknown, the model has no weights, or the file is not a tinynets checkpoint.

    Examples:
        >>> from tinynets.engine import load_trained
        >>> trained = load_trained("optimized200k_cifar10")
        >>> trained.metadata.class_names[:2]
        ('airplane', 'automobile')
    """
    path = checkpoint_path(name)
    if path is None:
        with plain_defaults():
            net = create_any_model(str(name), pretrained=True, **model_args).eval()
        return Trained(str(name), net, metadata_of(str(name), net, model_args))
    if model_args:
        names = ", ".join(model_args)
        raise ValueError(f"{name} is a checkpoint, which contains its model arguments: omit {names}")
    net, metadata = load_checkpoint(path, model)
    return Trained(str(name), net, metadata)


def checkpoint_path(name: str | Path) -> Path | None:
    """Return the checkpoint file that a name refers to, None for the name of a model.

    Raises:
        FileNotFoundError: the name is a path, and the file does not exist.
        ValueError: the name is neither a file nor a model.
    """
    path = Path(name)
    if isinstance(name, str) and is_ours(name):
        return None
    if path.is_dir() and (path / "last.safetensors").exists():
        return path / "last.safetensors"
    if path.is_dir() and len(path.parts) > 1:
        raise FileNotFoundError(f"{path} has no last.safetensors: it is not a run, or no epoch of it has ended yet")
    if path.is_file() or path.suffix == ".safetensors":
        return path
    if is_known(str(name)):
        return None
    if len(path.parts) > 1 or path.suffix in (".onnx", ".pt", ".pt2", ".pte", ".pth", ".tflite"):
        raise FileNotFoundError(f"no weights file at {path}")
    raise unknown("model or checkpoint", str(name), list_models())


def metadata_of(name: str, model: Any, model_args: dict[str, Any]) -> Checkpoint:
    """Return the metadata of a model's pretrained weights."""
    weights = find_weights(full_name(name)) if is_ours(name) else None
    if weights is not None:
        return read_checkpoint(weights.path)[1]
    cfg = getattr(model, "pretrained_cfg", None) or {}
    if not (cfg.get("mean") and cfg.get("std")):
        raise ValueError(f"the normalization of {name} is unknown: set mean and std in its pretrained_cfg")
    names = tuple(cfg.get("label_names") or ())
    return Checkpoint(name, model_args, "", tuple(cfg["mean"]), tuple(cfg["std"]), names, image_size_of(model))


def match_data(data: ImageData, trained: Trained, resize: bool = True) -> ImageData:
    """Convert a data set to the input of a trained model: its class order, channels, image size and normalization.

    Classes are matched by name.

    Args:
        data: the data set.
        trained: the model.
        resize: whether to resize images to the model's size.

    Returns:
        The converted data set.

    Raises:
        ValueError: the data contain a class that is unknown to the model.

    Examples:
        >>> from tinynets.engine import load_data, load_trained, match_data
        >>> data = match_data(load_data("digits"), load_trained("simplecnn_mnist"))
        >>> data.img_size, data.class_names[0]
        ((28, 28), '0 - zero')
    """
    metadata = trained.metadata
    order = class_order(data.class_names, metadata.class_names)
    if order is None:
        if metadata.class_names or data.num_classes != trained.model.num_classes:
            classes = _listed(metadata.class_names) if metadata.class_names else f"{trained.model.num_classes} classes"
            raise ValueError(
                f"{data.name} has the classes {_listed(data.class_names)}, {trained.name} predicts {classes}: choose "
                "data with the classes of the model (--data)"
            )
        _logger.warning(f"the class names of {trained.name} are unknown: classes are assumed to be in the data's order")
        names = data.class_names
    else:
        names = metadata.class_names
    size = tuple(metadata.img_size) if resize and metadata.img_size else data.img_size
    return replace(
        data.changed(order, trained.in_chans, (size[0], size[1])),
        class_names=names,
        mean=metadata.mean,
        std=metadata.std,
    )


def class_order(names: tuple[str, ...], known: tuple[str, ...]) -> list[int] | None:
    """Return the index of each name among the known names; None if one is missing or no names are known.

    Names must match exactly, except for MNIST's classes: "5" or, in torchvision, "5 - five".
    """
    indices = {_SECOND_NAMES[name]: index for index, name in enumerate(known) if name in _SECOND_NAMES}
    indices |= {name: index for index, name in enumerate(known)}
    order = [indices[name] for name in names if name in indices]
    return order if known and len(order) == len(names) == len(set(order)) else None


_DIGITS = {name: name[0] for name in MNIST.classes}
_SECOND_NAMES = _DIGITS | {digit: name for name, digit in _DIGITS.items()}


def _listed(names: tuple[str, ...], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")
