"""Augmentation of whole batches on their device, every image with random numbers of its own."""

from .augmenter import Augmenter
from .draws import Draws
from .geometry import resize
from .mixing import Mixer

__all__ = ["Augmenter", "Draws", "Mixer", "resize"]
