import pytest
import torch
from torchvision import transforms

from tinynets.engine.augment import BatchRNG
from tinynets.engine.augment.policy import apply_autoaugment


def pictures(n, channels=3):
    x = torch.nn.functional.interpolate(torch.rand(n, channels, 6, 6), (24, 32), mode="bicubic").clamp(0, 1)
    return (x * 255).to(torch.uint8)


def rng(n, part=None):
    return BatchRNG(torch.Generator().manual_seed(0), n, part)


THEIRS = transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_is_changed_by_torchvisions_policy_with_a_seed_of_its_own(channels):
    x = pictures(1, channels).expand(60, -1, -1, -1).clone()
    out = apply_autoaugment(x, rng(60))
    assert (out.dtype, out.shape) == (x.dtype, x.shape)
    assert len({image.numpy().tobytes() for image in out}) > 20
    for image, changed, seed in zip(x, out, rng(60).integers(1 << 62).tolist(), strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            torch.testing.assert_close(changed, THEIRS(image), rtol=0, atol=0)


def test_a_slice_of_a_batch_is_changed_as_in_the_whole():
    x = pictures(9)
    torch.testing.assert_close(apply_autoaugment(x[3:6], rng(9, slice(3, 6))), apply_autoaugment(x, rng(9))[3:6])


def test_torchs_generator_goes_on_as_if_nothing_was_drawn():
    x = pictures(4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    apply_autoaugment(x, rng(4))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
