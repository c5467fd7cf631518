import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets.engine.recipes import Mixing

from .batch_rng import BatchRNG
from .geometry import rectangles


class Mixer:
    """Mix the images of a batch by mixup, CutMix or RICAP, and compute soft targets.

    Image i is mixed with image i ^ 1 (RICAP also uses i ^ 2 and i ^ 3), which is a random image as batches are
    shuffled. Groups of four are never split over processes. In the last, incomplete group of a batch, an image without
    a partner is mixed with itself.

    Args:
        mixing: settings of the mixing.
        num_classes: number of classes of the soft targets.

    Examples:
        >>> import torch
        >>> from tinynets.engine import Mixing
        >>> from tinynets.engine.augment import BatchRNG, Mixer
        >>> mix = Mixer(Mixing(cutmix=1.0), num_classes=10)
        >>> x, targets = mix(torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3]), BatchRNG(None, 4))
        >>> x.shape, targets.shape
        (torch.Size([4, 3, 32, 32]), torch.Size([4, 10]))
    """

    def __init__(self, mixing: Mixing, num_classes: int) -> None:
        self.mixing, self.num_classes = mixing, num_classes

    def __call__(
        self, x: Tensor, labels: Tensor, rng: BatchRNG, strength: float = 1.0, logits: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            x: images, (N, C, H, W).
            labels: int64 (N,).
            rng: source of the random numbers.
            strength: factor on the mixing probabilities, in 0..1.
            logits: logits of a teacher, (N, num_classes), which are mixed like the targets.

        Returns:
            The images, and either the labels or, for a mixed batch, soft targets, (N, num_classes). With logits always
            soft targets concatenated with the logits, (N, 2 num_classes).
        """
        m = self.mixing
        soft_targets = F.one_hot(labels, self.num_classes).to(x.dtype)
        targets = labels
        if logits is not None:
            targets = soft_targets = torch.cat([soft_targets, logits], 1)
        if not m.any or strength <= 0:
            return x, targets
        draw = rng.once()
        for probability, mix in ((m.mixup, mixup), (m.cutmix, cutmix), (m.ricap, ricap)):
            draw -= probability * strength
            if draw < 0:
                return mix(x, soft_targets, rng)
        return x, targets


def mixup(x: Tensor, targets: Tensor, rng: BatchRNG, alpha: float = 0.2) -> tuple[Tensor, Tensor]:
    """lam * x_i + (1 - lam) * x_j with lam from Beta(alpha, alpha); Zhang et al., 2017."""
    lam, other = rng.beta(alpha), _neighbor(x, 1)
    return _blend(x, x[other], lam.view(-1, 1, 1, 1)), _blend(targets, targets[other], lam.unsqueeze(1))


def cutmix(x: Tensor, targets: Tensor, rng: BatchRNG, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """Paste a box of image j into image i, of area 1 - Beta(alpha, alpha) before clipping; Yun et al., 2019."""
    height, width = x.shape[2:]
    other = _neighbor(x, 1)
    side = (1 - rng.beta(alpha)).sqrt().unsqueeze(1)
    row = rng.integers(height).unsqueeze(1)
    column = rng.integers(width).unsqueeze(1)
    half_height, half_width = (height * side / 2).int(), (width * side / 2).int()
    box = rectangles(height, width, row - half_height, column - half_width, row + half_height, column + half_width)
    lam = 1 - box.float().mean((1, 2)).unsqueeze(1)
    return torch.where(box.unsqueeze(1), x[other], x), _blend(targets, targets[other], lam)


def ricap(x: Tensor, targets: Tensor, rng: BatchRNG, beta: float = 0.3) -> tuple[Tensor, Tensor]:
    """Combine crops of four images around a boundary point at Beta(beta, beta) of each side; Takahashi et al., 2018."""
    n, _, height, width = x.shape
    corner_row = (rng.beta(beta) * (height + 1)).int().clamp(0, height).view(-1, 1, 1)
    corner_column = (rng.beta(beta) * (width + 1)).int().clamp(0, width).view(-1, 1, 1)
    offset = rng.uniform(4, 2)
    rows = torch.arange(height, device=x.device).view(1, -1, 1)
    columns = torch.arange(width, device=x.device).view(1, 1, -1)
    below, beside = rows >= corner_row, columns >= corner_column
    quadrant = (2 * below + beside).expand(n, height, width)

    # the crop of quadrant q is as large as the quadrant, anywhere in its image
    own_rows = torch.where(below, height - corner_row, corner_row).expand_as(quadrant)
    own_columns = torch.where(beside, width - corner_column, corner_column).expand_as(quadrant)
    sample = torch.arange(n, device=x.device).view(-1, 1, 1)
    slack_row = (offset[quadrant, 0, sample] * (height - own_rows + 1)).int()
    slack_column = (offset[quadrant, 1, sample] * (width - own_columns + 1)).int()
    source = torch.stack([_neighbor(x, q) for q in range(4)])[quadrant, sample]
    source_row = rows - below * corner_row + slack_row
    source_column = columns - beside * corner_column + slack_column
    mixed = x.permute(0, 2, 3, 1)[source, source_row, source_column].permute(0, 3, 1, 2)

    areas = F.one_hot(quadrant.long(), 4).to(targets).mean((1, 2))
    parts = torch.stack([targets[_neighbor(x, q)] for q in range(4)], 1)
    return mixed, (areas.unsqueeze(2) * parts).sum(1)


def _neighbor(x: Tensor, distance: int) -> Tensor:
    index = torch.arange(len(x), device=x.device)
    other = index ^ distance
    return torch.where(other < len(x), other, index)


def _blend(x: Tensor, other: Tensor, lam: Tensor) -> Tensor:
    return x * lam + other * (1 - lam)
