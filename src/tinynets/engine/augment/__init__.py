"""Augmentation of whole batches on their device, with separate random numbers for every image."""

from .augmenter import Augmenter
from .draws import Draws
from .geometry import resize
from .mixing import Mixer

__all__ = ["Augmenter", "Draws", "Mixer", "resize"]
