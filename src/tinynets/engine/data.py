from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.datasets
from torch import Tensor

from tinynets._checks import unknown
from tinynets._statistics import CIFAR10, CIFAR100, MNIST, Statistics


@dataclass(frozen=True)
class ImageData:
    """A data set in memory.

    Images are uint8 (N, C, H, W), labels int64 (N,); mean and std are per channel, of pixels scaled to 0..1.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def in_chans(self) -> int:
        return self.train_images.shape[1]

    @property
    def img_size(self) -> tuple[int, int]:
        return self.train_images.shape[2], self.train_images.shape[3]

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Images and labels of "train" or "test"."""
        if name == "train":
            return self.train_images, self.train_labels
        if name == "test":
            return self.test_images, self.test_labels
        raise unknown("split", name, ("train", "test"))


def load_data(name: str, data_dir: str | Path | None = None) -> ImageData:
    """Load a data set by name.

    Args:
        name: one of `list_data()`.
        data_dir: an existing folder that holds torchvision's files, or that they are downloaded into. None: `data`
            under the working directory, made if need be. Not used by "digits", which comes with scikit-learn.

    Raises:
        ValueError: unknown name.
        FileNotFoundError: data_dir does not exist.
        RuntimeError: the files are neither there nor to be had, or scikit-learn is missing.
    """
    if name not in _LOADERS:
        raise unknown("data set", name, _LOADERS)
    return _LOADERS[name](data_dir)


def list_data() -> list[str]:
    """Names that `load_data` takes, sorted."""
    return sorted(_LOADERS)


def split_validation(labels: Tensor, val_size: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices for training and validation, each sorted, the latter val_size of every class (rounded)."""
    train, val = [], []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        held_out = round(len(members) * val_size)
        val.append(members[:held_out])
        train.append(members[held_out:])
    return torch.cat(train).sort().values, torch.cat(val).sort().values


def _load_torchvision(name: str, cls: type, statistics: Statistics) -> Callable:
    def load(data_dir: str | Path | None) -> ImageData:
        root = Path("data" if data_dir is None else data_dir)
        if data_dir is not None and not root.is_dir():
            raise FileNotFoundError(
                f"data directory {root} does not exist: name the one that holds {name}, "
                "or make it and the data set is downloaded into it"
            )
        train, test = (_open_or_download(name, cls, root, part) for part in (True, False))
        return ImageData(
            name,
            *_as_tensors(train.data, train.targets),
            *_as_tensors(test.data, test.targets),
            class_names=tuple(train.classes),
            **statistics._asdict(),
        )

    return load


def _open_or_download(name: str, cls: type, root: Path, train: bool):
    try:
        return cls(str(root), train=train)
    except RuntimeError:  # not there, or not whole
        try:
            return cls(str(root), train=train, download=True)
        except Exception as error:
            raise RuntimeError(
                f"{name} is not in {root} and could not be downloaded ({error}): put its files there by hand"
            ) from error


def _as_tensors(images: np.ndarray | Tensor, labels: list[int] | Tensor) -> tuple[Tensor, Tensor]:
    images = torch.as_tensor(images)
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous(), torch.as_tensor(labels, dtype=torch.int64)


def _load_digits(data_dir: str | Path | None) -> ImageData:
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels; a fixed fifth of every class is the test set."""
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


_LOADERS: dict[str, Callable[[str | Path | None], ImageData]] = {
    "cifar10": _load_torchvision("cifar10", torchvision.datasets.CIFAR10, CIFAR10),
    "cifar100": _load_torchvision("cifar100", torchvision.datasets.CIFAR100, CIFAR100),
    "mnist": _load_torchvision("mnist", torchvision.datasets.MNIST, MNIST),
    "digits": _load_digits,
}
