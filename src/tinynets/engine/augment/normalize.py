import torch
from torch import Tensor


class Normalize:
    """Normalize uint8 images on their device: (x / 255 - mean) / std.

    Args:
        mean: mean per channel, for pixels scaled to 0..1.
        std: standard deviation per channel, for pixels scaled to 0..1.

    Examples:
        >>> import torch
        >>> from tinynets.engine import Normalize
        >>> Normalize(mean=(0.5,), std=(0.25,))(torch.zeros(8, 1, 28, 28, dtype=torch.uint8)).unique()
        tensor([-2.])
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.mean, self.std = (
            torch.tensor(values, dtype=torch.float32, device="cpu").view(-1, 1, 1) for values in (mean, std)
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Normalize uint8 (N, C, H, W). Returns fp32 (N, C, H, W), channels_last."""
        return self.scale(images.float() / 255).contiguous(memory_format=torch.channels_last)

    def scale(self, x: Tensor) -> Tensor:
        """Compute (x - mean) / std for pixels in 0..1."""
        if self.mean.device != x.device:  # only once, because a copy synchronizes
            self.mean, self.std = self.mean.to(x.device), self.std.to(x.device)
        return (x - self.mean) / self.std

    def restore(self, x: Tensor) -> Tensor:
        """Invert the normalization, for display: (N, C, H, W) -> (N, C, H, W) in 0..1."""
        return (x * self.std.to(x.device) + self.mean.to(x.device)).clamp(0, 1)
