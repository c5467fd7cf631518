import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from tinynets.engine.augment import Augmenter, BatchRNG, Normalize
from tinynets.engine.data.memory import check_memory
from tinynets.engine.recipes import Augment, Recipe
from tinynets.weights import read_weights, save_weights

_logger = logging.getLogger(__name__)


class Views:
    """Fixed augmented views of the training images, with a teacher's logits of each.

    A batch consists of a random view of every image, which is flipped with probability 1/2 if the recipe flips, with
    unchanged logits. The views depend on the recipe's seed only.

    images: uint8 (views, N, C, H, W). logits: fp16 (views, N, classes).

    Args:
        recipe: the recipe, of which augment, distill and seed are used.
        images: uint8 (N, C, H, W).
        mean: mean per channel, for pixels scaled to 0..1.
        std: standard deviation per channel, for pixels scaled to 0..1.
        cache: file of the teacher's logits.
        data_sha256: digest of the data set, None if unknown.

    Raises:
        ValueError: the views do not fit into free memory.
    """

    def __init__(
        self,
        recipe: Recipe,
        images: Tensor,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        cache: Path,
        data_sha256: str | None,
    ) -> None:
        self.batch = Augmenter(Augment(flip=recipe.augment.flip), mean, std)
        self.clean = Normalize(mean, std)
        count = recipe.distill.views
        if images.device.type == "cpu":
            check_memory(count * images.numel(), f"{count} views of the training images", "lower distill.views")
        augment = Augmenter(replace(recipe.augment, flip=False), mean, std)
        generator = torch.Generator().manual_seed(recipe.seed)
        self.images = images.new_empty(count, *images.shape)
        for view in self.images:
            for source, target in zip(images.split(500), view.split(500), strict=True):
                x = augment(source, BatchRNG(generator, len(source), device=images.device))
                target.copy_(augment.restore(x).mul_(255).round_())
        self.logits = torch.empty(0)
        self.cache = cache
        self.key = {
            "teacher": recipe.distill.teacher,
            "augment": asdict(recipe.augment),
            "seed": recipe.seed,
            "val_size": recipe.val_size,
            "data_sha256": data_sha256,
        }

    def read_logits(self) -> bool:
        """Read the teacher's logits from the file cache; return whether it has those of all views."""
        self.logits = _cached(self.cache, self.key)[: len(self.images)]
        return len(self.logits) == len(self.images)

    @torch.no_grad()
    def compute_logits(self, teacher: Callable[[Tensor], Tensor], after_batch: Callable[[], None]) -> None:
        """Compute the logits of the views that have none, and store each view's."""
        missing = self.images[len(self.logits) :]
        if len(missing):
            _logger.info(f"computing the logits of {self.key['teacher']} for {len(missing)} views of each image, once")
        for view in missing:
            parts = []
            for images in view.split(250):
                parts.append(teacher(self.clean(images)).half().cpu())
                after_batch()
            self.logits = torch.cat([self.logits, torch.cat(parts).unsqueeze(0)])
            save_weights(self.cache, {"logits": self.logits}, self.key)

    def __call__(self, rows: Tensor, rng: BatchRNG) -> tuple[Tensor, Tensor]:
        """Return normalized random views (n, C, H, W) of the rows (n,), and their logits (n, classes), fp32."""
        view = rng.integers(len(self.images))
        return self.batch(self.images[view, rows], rng), self.logits[view, rows].float()


def _cached(path: Path, key: dict) -> Tensor:
    """Return the logits in a file, of no view if it is missing, damaged or of another key.

    The file may have been made in another folder: its teacher may be the end of the key's path.
    """
    empty = torch.empty(0, dtype=torch.float16)
    try:
        state, metadata = read_weights(path)
    except (FileNotFoundError, ValueError):
        return empty
    parts = Path(metadata.get("teacher") or "").parts
    same_teacher = parts and Path(key["teacher"]).parts[-len(parts) :] == parts
    return state["logits"] if same_teacher and metadata | {"teacher": key["teacher"]} == key else empty
