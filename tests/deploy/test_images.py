import pytest
import torch

from tinynets.deploy.images import calibration_images, synthetic_images


def test_calibration_images_come_from_everywhere():
    """Training images may be sorted by class."""
    images = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)
    drawn = calibration_images(images, 40)
    assert len(drawn.unique()) == 40
    assert drawn.float().mean().item() == pytest.approx(50, abs=15)
    assert torch.equal(calibration_images(images, 40), drawn)
    assert len(calibration_images(images)) == 100


def test_synthetic_images_are_deterministic():
    state = torch.get_rng_state()
    images = synthetic_images(20, (3, 16, 12))
    assert (images.shape, images.dtype) == ((20, 3, 16, 12), torch.uint8)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(synthetic_images(20, (3, 16, 12)), images)
    assert images.float().mean((1, 2, 3)).std() > 10  # dark and bright images
    assert images.float().std((1, 2, 3)).std() > 10  # low and high contrast
