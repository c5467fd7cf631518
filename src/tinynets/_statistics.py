"""Per-channel mean and standard deviation of the training sets, for pixels scaled to 0..1."""

from typing import NamedTuple


class Statistics(NamedTuple):
    mean: tuple[float, ...]
    std: tuple[float, ...]


CIFAR10 = Statistics(mean=(0.491400, 0.482158, 0.446531), std=(0.247032, 0.243485, 0.261588))
CIFAR100 = Statistics(mean=(0.507075, 0.486549, 0.440918), std=(0.267334, 0.256438, 0.276150))
MNIST = Statistics(mean=(0.130660,), std=(0.308108,))
TINY_IMAGENET = Statistics(
    mean=(0.4802369434455421, 0.4480670369274664, 0.3975036421089921),
    std=(0.2764364260187292, 0.2688632762749309, 0.28158992529678756),
)
