import torch
from torch import Tensor

from tinynets.engine.recipes import Augment

from .colour import random_hsv, random_light
from .cutout import random_cutout
from .draws import Draws
from .geometry import random_affine, random_crop, random_flip
from .policy import auto_augment, trivial_augment

_POLICIES = {"autoaugment": auto_augment, "trivialaugment": trivial_augment}


class Augmenter:
    """uint8 images -> normalised floating-point images, a whole batch at a time on the images' device.

    Every image has its own parameters. The order is: crop, flip, policy, affine map (rotation, scale, shear, shift),
    contrast and brightness, hue, saturation and value, normalisation, cutout.

    Args:
        augment: what to do; `Augment()` only normalises.
        mean, std: per channel, of pixels scaled to 0..1.
    """

    def __init__(self, augment: Augment, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.augment = augment
        self.mean, self.std = (
            torch.tensor(values, dtype=torch.float32, device="cpu").view(-1, 1, 1) for values in (mean, std)
        )

    def __call__(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """(N, C, H, W) uint8 -> (N, C, H, W) fp32, channels_last."""
        a = self.augment
        draws = draws or Draws(None, len(images), device=images.device)
        if a.pad:
            images = random_crop(images, a.pad, draws, a.pad_mode)
        if a.flip:
            images = random_flip(images, draws)
        if a.policy:
            images = _POLICIES[a.policy](images, draws)
        x = images.float() / 255
        if a.rotate or a.scale or a.shear or a.shift:
            x = random_affine(x, a.rotate, a.scale, a.shear, a.shift, draws, a.affine_prob)
        if a.contrast or a.brightness:
            x = random_light(x, a.contrast, a.brightness, draws, a.light_prob)
        if a.hue or a.saturation or a.value:
            x = random_hsv(x, a.hue, a.saturation, a.value, draws, a.hsv_prob)
        if self.mean.device != x.device:  # once: a copy waits for the device
            self.mean, self.std = self.mean.to(x.device), self.std.to(x.device)
        x = (x - self.mean) / self.std
        if a.cutout:
            x = random_cutout(x, a.cutout, draws, a.cutout_holes, a.cutout_prob)
        return x.contiguous(memory_format=torch.channels_last)

    def restore(self, x: Tensor) -> Tensor:
        """Normalised images back to 0..1, to look at."""
        return (x * self.std.to(x.device) + self.mean.to(x.device)).clamp(0, 1)
