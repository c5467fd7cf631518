import logging

import torch
from torch import Tensor

from tinynets.engine.data import ImageData, split_validation
from tinynets.engine.recipes import Recipe

from .distributed import DistributedContext

_logger = logging.getLogger(__name__)

_FEWEST = 8  # training images: the statistics of a batch norm need some


class RunImages:
    """The training and validation images of a run.

    train_labels: int64 (N,), on the device. val_images: uint8 (M, C, H, W), and val_labels: int64 (M,), where the data
    are. steps: number of batches per epoch.

    Args:
        data: the data set. Without validation images of its own, recipe.val_size of the training images are held out.
        recipe: the recipe, of which val_size, batch_size and patience are used.
        generator: source of the random numbers of the split.
        distributed: the processes of the run.

    Raises:
        ValueError: there are too few images or classes for the recipe.
    """

    def __init__(
        self, data: ImageData, recipe: Recipe, generator: torch.Generator, distributed: DistributedContext
    ) -> None:
        if len(data.train_labels) == 0:
            raise ValueError(f"{data.name} has no training images: it can only be used for evaluation")
        if data.num_classes < 2:
            raise ValueError(
                f"{data.name} has only one class, {', '.join(data.class_names)!r}: training needs two or more, each in "
                "a folder of its own, directly in train/ or in the folder of the data"
            )
        if data.val_images is not None and data.val_labels is not None:
            train = torch.arange(len(data.train_labels))
            self.val_images, self.val_labels = data.val_images, data.val_labels
        else:
            train, val = split_validation(data.train_labels, recipe.val_size, generator)
            self.val_images, self.val_labels = data.train_images[val], data.train_labels[val]
            missing = data.train_labels.unique().numel() - self.val_labels.unique().numel()
            if recipe.val_size and missing and distributed.is_main:
                _logger.warning(
                    f"{missing} of {data.num_classes} classes have no validation image: {recipe.val_size:g} (val_size) "
                    "of their images rounds to 0"
                )
        # all images and the indices of the training set, because a copy of the subset would double the memory
        self._images, self._rows = data.train_images.to(distributed.device), train.to(distributed.device)
        self.train_labels = data.train_labels[train].to(distributed.device)
        if recipe.schedule.patience and len(self.val_labels) == 0:
            raise ValueError(f"schedule.patience needs validation images: val_size ({recipe.val_size:g}) leaves none")
        count, processes = len(self.train_labels), distributed.world_size
        if count < _FEWEST * processes:
            raise ValueError(
                f"the training set has only {count} images: add images, training needs {_FEWEST} for each process"
            )
        if recipe.batch_size % processes:
            raise ValueError(
                f"batch_size ({recipe.batch_size}) must be a multiple of the number of processes ({processes})"
            )
        self.batch_size = min(recipe.batch_size, count - count % processes)
        self.steps = count // self.batch_size

    def take(self, rows: Tensor) -> Tensor:
        """Return training images, uint8 (n, C, H, W), by their indices in train_labels, on the device."""
        return self._images[self._rows[rows]]

    @property
    def train_images(self) -> Tensor:
        """Return a copy of all training images, uint8 (N, C, H, W)."""
        return self._images[self._rows]

    def clean(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return random training images, not augmented, and their labels."""
        rows = torch.randperm(len(self.train_labels), generator=torch.Generator().manual_seed(seed))
        rows = rows[:count].to(self.train_labels.device)
        return self.take(rows), self.train_labels[rows]
