"""Augmentation of whole batches on their device, with separate random numbers for every image."""

from .augmenter import Augmenter
from .draws import Draws
from .mixing import Mixer
from .normalize import Normalize

__all__ = ["Augmenter", "Draws", "Mixer", "Normalize"]
