"""Built-in data sets: torchvision's, Tiny-ImageNet, and scikit-learn's digits."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.datasets
from torch import Tensor

from tinynets._statistics import CIFAR10, CIFAR100, MNIST, Statistics

from .image_data import ImageData, channels_first, split_validation
from .locking import locked
from .tiny_imagenet import FOLDER, load_tiny_imagenet


def _load_torchvision(name: str, cls: type, statistics: Statistics) -> Callable:
    def load(data_dir: str | Path | None) -> ImageData:
        root = _root(name, data_dir)
        with locked(root):
            train, test = (_open_or_download(name, cls, root, part) for part in (True, False))
        return ImageData(
            name,
            *_as_tensors(train.data, train.targets),
            *_as_tensors(test.data, test.targets),
            class_names=tuple(train.classes),
            **statistics._asdict(),
        )

    return load


def _root(name: str, data_dir: str | Path | None) -> Path:
    root = Path("data" if data_dir is None else data_dir)
    if data_dir is not None and not root.is_dir():
        raise FileNotFoundError(
            f"data directory {root} does not exist: choose the one that contains {name}, "
            "or create it to download the data set into it"
        )
    return root


def _open_or_download(name: str, cls: type, root: Path, train: bool):
    try:
        return cls(str(root), train=train)
    except RuntimeError:  # missing or incomplete
        try:
            return cls(str(root), train=train, download=True)
        except Exception as error:
            for folder in (root / cls.__name__ / "raw", root / cls.__name__):  # torchvision leaves empty folders
                with suppress(OSError):
                    folder.rmdir()
            *_, reason = (type(error).__name__, *str(error).strip().splitlines())
            raise RuntimeError(
                f"{name} is not in {root} and could not be downloaded ({reason}): "
                "connect to the internet, or copy its files there"
            ) from error


def _as_tensors(images: np.ndarray | Tensor, labels: list[int] | Tensor) -> tuple[Tensor, Tensor]:
    return channels_first(torch.as_tensor(images)), torch.as_tensor(labels, dtype=torch.int64)


def _load_digits(data_dir: str | Path | None) -> ImageData:
    """Load scikit-learn's 1,797 handwritten digits of 8x8 pixels; a fixed fifth of every class is the test set."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise RuntimeError("digits needs scikit-learn: pip install 'tinynets[demo]'") from error
    bunch: Any = load_digits()
    images = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, test = split_validation(labels, 0.2, torch.Generator().manual_seed(0))
    scaled = images[train].float() / 255
    return ImageData(
        "digits",
        images[train],
        labels[train],
        images[test],
        labels[test],
        class_names=tuple(str(digit) for digit in range(10)),
        mean=(scaled.mean().item(),),
        std=(scaled.std(correction=0).item(),),
    )


def has_files(name: str, data_dir: str | Path | None) -> bool:
    """Whether the directory contains the files of a data set, so that no download is needed."""
    folders = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python", "mnist": "MNIST/raw"}
    folders["tiny_imagenet"] = FOLDER
    return name not in folders or Path("data" if data_dir is None else data_dir, folders[name]).is_dir()


DOWNLOADED = {
    "cifar10": _load_torchvision("cifar10", torchvision.datasets.CIFAR10, CIFAR10),
    "cifar100": _load_torchvision("cifar100", torchvision.datasets.CIFAR100, CIFAR100),
    "mnist": _load_torchvision("mnist", torchvision.datasets.MNIST, MNIST),
    "tiny_imagenet": lambda data_dir, cache=None: load_tiny_imagenet(_root("tiny_imagenet", data_dir), cache),
}
LOADERS: dict[str, Callable[..., ImageData]] = {**DOWNLOADED, "digits": _load_digits}
