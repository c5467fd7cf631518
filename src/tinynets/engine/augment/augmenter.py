import torch
from torch import Tensor

from tinynets.engine.recipes import Augment

from .batch_rng import BatchRNG
from .color import random_hsv, random_light
from .geometry import random_affine, random_crop, random_cutout, random_flip
from .normalize import Normalize
from .policy import apply_autoaugment


class Augmenter(Normalize):
    """Augment and normalize batches of uint8 images on their device, with separate random parameters for every image.

    The transforms are applied in this order: crop, flip, policy, affine map (rotation, scale, shear, shift), contrast
    and brightness, hue, saturation and value, normalization, cutout.

    Args:
        augment: settings of the augmentation.
        mean: mean per channel, for pixels scaled to 0..1.
        std: standard deviation per channel, for pixels scaled to 0..1.

    Examples:
        >>> import torch
        >>> from tinynets.engine import Augment, Augmenter
        >>> augmenter = Augmenter(Augment(pad=4, flip=True), mean=(0.5,), std=(0.25,))
        >>> augmenter(torch.zeros(8, 1, 28, 28, dtype=torch.uint8)).shape
        torch.Size([8, 1, 28, 28])
    """

    def __init__(self, augment: Augment, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__(mean, std)
        self.augment = augment

    def __call__(self, images: Tensor, rng: BatchRNG | None = None) -> Tensor:
        """Augment and normalize images.

        Args:
            images: uint8 (N, C, H, W).
            rng: source of the random numbers, None for torch's default generator.

        Returns:
            fp32 (N, C, H, W), channels_last.
        """
        a = self.augment
        rng = rng or BatchRNG(None, len(images), device=images.device)
        if a.pad:
            images = random_crop(images, a.pad, rng, a.pad_mode)
        if a.flip:
            images = random_flip(images, rng)
        if a.policy:
            images = apply_autoaugment(images, rng)
        x = images.float() / 255
        if a.rotate or a.scale or a.shear or a.shift:
            x = random_affine(x, a.rotate, a.scale, a.shear, a.shift, rng, a.affine_prob)
        if a.contrast or a.brightness:
            x = random_light(x, a.contrast, a.brightness, rng, a.light_prob)
        if a.hue or a.saturation or a.value:
            x = random_hsv(x, a.hue, a.saturation, a.value, rng, a.hsv_prob)
        x = self.scale(x)
        if a.cutout:
            x = random_cutout(x, a.cutout, rng, a.cutout_prob)
        return x.contiguous(memory_format=torch.channels_last)
