import dataclasses
import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from tinynets._checks import unknown


@dataclass(frozen=True)
class ImageData:
    """A data set in memory.

    Images are uint8 (N, C, H, W), labels int64 (N,); mean and std are per channel, of pixels scaled to 0..1. A data
    set may bring validation images of its own; otherwise they are cut from the training images.
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

    def digest(self) -> str:
        """SHA-256 over all images, labels and class names: equal for equal data, whatever they are called."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                digest.update(f"{field.name}{tuple(value.shape)}".encode())
                digest.update(value.contiguous().numpy().data)
        return digest.hexdigest()


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
