import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import unknown

_AT_A_TIME = 1 << 22  # pixels


@dataclass(frozen=True)
class ImageData:
    """An image classification data set in memory.

    Without validation images, training holds out a part of the training images. The training split is empty for data
    that support evaluation only.

    Attributes:
        name: name of the data set.
        train_images: uint8 (N, C, H, W).
        train_labels: int64 (N,).
        test_images: uint8 (N, C, H, W).
        test_labels: int64 (N,).
        class_names: names of the classes in the order of the labels.
        mean: mean per channel, for pixels scaled to 0..1.
        std: standard deviation per channel, for pixels scaled to 0..1.
        val_images: uint8 (N, C, H, W) or None.
        val_labels: int64 (N,) or None.
        source: arguments of `load_data` that load the same data again, with an absolute path. None for other data.
        notes: remarks about how the data were read, one line each.
        skipped: unreadable files that were skipped, with the reason.
        files: file names of the images of every split, relative to the folder of the data. Empty for other data.
        duplicates: held-out photos that are near duplicates of a training photo, each with the name of that photo.
        known_digest: the result of `digest`, if already computed.

    Examples:
        >>> from tinynets.engine import load_data
        >>> data = load_data("digits")
        >>> data.num_classes, data.in_chans, data.img_size
        (10, 1, (8, 8))
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
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    files: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    duplicates: tuple[str, ...] = ()
    known_digest: str | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def in_chans(self) -> int:
        """Number of channels of the images."""
        return self.train_images.shape[1]

    @property
    def img_size(self) -> tuple[int, int]:
        """(H, W) of the images in pixels."""
        return self.train_images.shape[2], self.train_images.shape[3]

    @property
    def made_split(self) -> dict[str, Any] | None:
        """The split of class folders: test_size, val_size, seed, and the files of every split. None for other data."""
        source = self.source or {}
        if "test_size" not in source:
            return None
        chosen = {key: source[key] for key in ("test_size", "val_size", "seed")}
        return chosen | {part: self.files.get(part, ()) for part in ("train", "val", "test")}

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one split.

        Args:
            name: "train", "test" or, if the data set has it, "val".

        Raises:
            ValueError: there is no such split.
        """
        splits = {"test": (self.test_images, self.test_labels)}
        if len(self.train_labels):
            splits["train"] = self.train_images, self.train_labels
        if self.val_images is not None and self.val_labels is not None:
            splits["val"] = self.val_images, self.val_labels
        if name not in splits:
            raise unknown("split", name, splits)
        return splits[name]

    def changed(self, classes: list[int] | None, in_chans: int, img_size: tuple[int, int]) -> "ImageData":
        """Convert channels and size of the images, and map label i to classes[i]. Class names are unchanged.

        Grayscale is replicated to three channels; color is converted to ITU-R 601 luma, as in Pillow. Resizing is
        bilinear with antialiasing.

        Args:
            classes: the new label for each label, None for no change.
            in_chans: 1 or 3.
            img_size: (H, W) in pixels.

        Raises:
            ValueError: the images cannot be converted to these channels.
        """
        splits: dict[str, Any] = {}
        for part in ("train", "val", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images is not None:
                splits[f"{part}_images"] = _resized(_with_channels(images, in_chans, self.name), img_size)
                splits[f"{part}_labels"] = labels if classes is None else torch.tensor(classes)[labels]
        return dataclasses.replace(self, **splits, known_digest=None)

    def digest(self) -> str:
        """Return the SHA-256 of all images, labels and class names, independent of the data set's name."""
        if self.known_digest is not None:
            return self.known_digest
        digest = hashlib.sha256(repr(self.class_names).encode())
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                digest.update(f"{field.name}{tuple(value.shape)}".encode())
                digest.update(value.contiguous().numpy().data)
        return digest.hexdigest()


def assemble(
    name: str,
    splits: dict[str, tuple[Tensor, Tensor]],
    class_names: tuple[str, ...],
    notes: Iterable[str] = (),
    skipped: tuple[str, ...] = (),
    figures: tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]] | None = None,
    files: Mapping[str, Sequence[str]] | None = None,
) -> ImageData:
    """Build a data set from the splits "train", "val" and "test". Without test, val serves as the test set.

    figures: mean, standard deviation and remarks, if already known.
    files: names of the images of every split, for remarks about images.

    Raises:
        ValueError: the images of the splits differ in size.
    """
    test = splits["test"] if "test" in splits else splits["val"]
    val = splits.get("val") if "test" in splits else None
    shapes = {tuple(images.shape[1:]) for images, _ in splits.values()}
    if len(shapes) > 1:
        raise ValueError(f"{name}: all splits must have the same image size, got {sorted(shapes)}")
    train = splits.get("train") or (test[0][:0], test[1][:0])
    if figures is None:
        found = _remarks(splits, class_names, files or {})
        figures = (*statistics(train[0] if len(train[0]) else test[0]), tuple(found))
    mean, std, remarks = figures[0], figures[1], (*notes, *figures[2])
    return ImageData(
        name, *train, *test, class_names, mean, std, *(val or (None, None)), notes=remarks, skipped=skipped
    )


def _remarks(
    splits: dict[str, tuple[Tensor, Tensor]], class_names: Sequence[str], files: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return a line for each defect that affects accuracy figures: classes without images, and duplicate images."""
    notes = []
    labels_of: dict[str, dict[int, dict[int, int]]] = {}  # by split and hash of an image, a row for each label
    for part, (images, labels) in splits.items():
        counts = torch.bincount(labels, minlength=len(class_names)).tolist()
        absent = [name for name, count in zip(class_names, counts, strict=True) if not count]
        if absent:
            few = ", ".join(absent[:5]) + (f" and {len(absent) - 5:,} more" if len(absent) > 5 else "")
            notes.append(f"{part} has no images of {few}")
        seen = labels_of[part] = defaultdict(dict)
        for row, (image, label) in enumerate(zip(images.numpy(), labels.tolist(), strict=True)):
            seen[hash(image.tobytes())].setdefault(label, row)
        if ambiguous := [sorted(found.items()) for found in seen.values() if len(found) > 1]:
            one, other, *_ = (files[part][row] if files else class_names[label] for label, row in ambiguous[0])
            notes.append(f"{part}: {len(ambiguous):,} images are in several classes (such as {one} and {other})")
    for part, seen in labels_of.items():
        if part != "train" and (both := len(seen.keys() & labels_of.get("train", {}).keys())):
            notes.append(f"{both:,} images of {part} are also in train")
    return notes


def _with_channels(images: Tensor, in_chans: int, name: str) -> Tensor:
    channels = images.shape[1]
    if channels == in_chans:
        return images
    if channels == 1:
        return images.expand(-1, in_chans, -1, -1)
    if (channels, in_chans) == (3, 1):
        red, green, blue = images.int().split(1, dim=1)
        return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).to(torch.uint8)
    raise ValueError(f"{name} has images of {channels} channels, the model expects {in_chans}: convert the images")


def _resized(images: Tensor, size: tuple[int, int], chunk_size: int = 500) -> Tensor:
    if tuple(images.shape[2:]) == tuple(size) or len(images) == 0:
        return images
    chunks = (F.interpolate(p.float(), size, mode="bilinear", antialias=True) for p in images.split(chunk_size))
    return torch.cat([p.round_().clamp_(0, 255).to(torch.uint8) for p in chunks])


def channels_first(images: Tensor) -> Tensor:
    """Convert (N, H, W) or (N, H, W, C) to (N, C, H, W), contiguous."""
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous()


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compute the exact per-channel mean and standard deviation of images.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        Means and standard deviations, for pixels scaled to 0..1. A standard deviation of 0 is replaced by 1.

    Examples:
        >>> import torch
        >>> from tinynets.engine.data import statistics
        >>> statistics(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
        ((0.5,), (0.5,))
    """
    n, channels, height, width = images.shape
    counts = torch.zeros(channels, 256, dtype=torch.int64, device=images.device)
    for part in images.split(max(1, _AT_A_TIME // (height * width))):  # bincount takes eight bytes a pixel
        counts += torch.stack([torch.bincount(part[:, c].flatten(), minlength=256) for c in range(channels)])
    counts = counts.double()
    level = torch.arange(256, device=images.device).double() / 255
    mean = counts @ level / (n * height * width)
    variance = counts @ level.square() / (n * height * width) - mean.square()
    std = variance.clamp_min(0).sqrt()
    return tuple(mean.tolist()), tuple(torch.where(std > 0, std, 1).tolist())


def split_validation(labels: Tensor, val_size: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Stratified random split of indices into training and validation.

    Args:
        labels: int64 (N,).
        val_size: validation fraction of every class, rounded to whole images.
        generator: source of the random numbers.

    Returns:
        Indices for training and for validation, each sorted.

    Examples:
        >>> import torch
        >>> from tinynets.engine.data import split_validation
        >>> train, val = split_validation(torch.tensor([0, 0, 1, 1]), 0.5, torch.Generator().manual_seed(0))
        >>> len(train), len(val)
        (2, 2)
    """
    train, val = [], []
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        num_val = round(len(members) * val_size)
        val.append(members[:num_val])
        train.append(members[num_val:])
    return torch.cat(train).sort().values, torch.cat(val).sort().values
