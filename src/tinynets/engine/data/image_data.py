import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import unknown


@dataclass(frozen=True)
class ImageData:
    """A data set in memory.

    Images are uint8 (N, C, H, W), labels int64 (N,); mean and std are per channel, of pixels scaled to 0..1. A data
    set may bring validation images of its own; otherwise they are cut from the training images.

    source: the arguments with which `load_data` finds the same data again, its path absolute; None for data that were
    made otherwise.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    val_images: Tensor | None = None
    val_labels: Tensor | None = None
    source: dict[str, Any] | None = None

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
        """Images and labels of "train", "test" or, where the data set has it, "val"."""
        splits = {"train": (self.train_images, self.train_labels), "test": (self.test_images, self.test_labels)}
        if self.val_images is not None and self.val_labels is not None:
            splits["val"] = self.val_images, self.val_labels
        if name not in splits:
            raise unknown("split", name, splits)
        return splits[name]

    def changed(self, classes: list[int] | None, in_chans: int, img_size: tuple[int, int]) -> "ImageData":
        """The same images with label i as classes[i], in other channels and another size; names stay as they are.

        Gray becomes three equal channels, colour the gray of ITU-R 601, as Pillow makes it. Resizing is bilinear and
        antialiased.

        Raises:
            ValueError: the channels cannot be had.
        """
        splits: dict[str, Any] = {}
        for part in ("train", "val", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images is not None:
                splits[f"{part}_images"] = _resized(_with_channels(images, in_chans, self.name), img_size)
                splits[f"{part}_labels"] = labels if classes is None else torch.tensor(classes)[labels]
        return dataclasses.replace(self, **splits)

    def digest(self) -> str:
        """SHA-256 over all images, labels and class names: equal for equal data, whatever they are called."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                digest.update(f"{field.name}{tuple(value.shape)}".encode())
                digest.update(value.contiguous().numpy().data)
        return digest.hexdigest()


def _with_channels(images: Tensor, in_chans: int, name: str) -> Tensor:
    have = images.shape[1]
    if have == in_chans:
        return images
    if have == 1:
        return images.expand(-1, in_chans, -1, -1)
    if (have, in_chans) == (3, 1):
        red, green, blue = images.int().split(1, dim=1)
        return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).to(torch.uint8)
    raise ValueError(f"{name} has images of {have} channels, the model takes {in_chans}: convert the images")


def _resized(images: Tensor, size: tuple[int, int], piece: int = 500) -> Tensor:
    if tuple(images.shape[2:]) == tuple(size) or len(images) == 0:
        return images
    pieces = (F.interpolate(p.float(), size, mode="bilinear", antialias=True) for p in images.split(piece))
    return torch.cat([p.round_().clamp_(0, 255).to(torch.uint8) for p in pieces])


def channels_first(images: Tensor) -> Tensor:
    """(N, H, W) or (N, H, W, C) -> (N, C, H, W), contiguous."""
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous()


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of uint8 (N, C, H, W), scaled to 0..1; exact, in integers."""
    n, channels, height, width = images.shape
    counts = torch.stack([torch.bincount(images[:, c].flatten(), minlength=256) for c in range(channels)]).double()
    level = torch.arange(256).double() / 255
    mean = counts @ level / (n * height * width)
    variance = counts @ level.square() / (n * height * width) - mean.square()
    std = variance.clamp_min(0).sqrt()
    return tuple(mean.tolist()), tuple(torch.where(std > 0, std, 1).tolist())


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
