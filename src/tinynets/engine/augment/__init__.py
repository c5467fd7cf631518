"""Batched augmentation on the images' device, with separate random parameters for every image."""

from .augmenter import Augmenter
from .batch_rng import BatchRNG
from .mixing import Mixer
from .normalize import Normalize

__all__ = ["Augmenter", "BatchRNG", "Mixer", "Normalize"]
