import pytest
import torch

from tinynets.engine import Augment, Augmenter, Normalize
from tinynets.engine.augment import BatchRNG

ALL = Augment(
    pad=2,
    flip=True,
    policy="autoaugment",
    rotate=10,
    scale=0.1,
    shift=0.1,
    shear=5,
    affine_prob=0.5,
    contrast=0.2,
    brightness=0.2,
    light_prob=0.5,
    hue=20,
    saturation=0.1,
    value=0.1,
    hsv_prob=0.5,
    cutout=3,
    cutout_prob=0.5,
)


def images(n=16, channels=3):
    return torch.randint(0, 256, (n, channels, 12, 12), dtype=torch.uint8)


def rng(n, seed, part=None):
    return BatchRNG(torch.Generator().manual_seed(seed), n, part)


def test_normalization():
    x = images()
    out = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))(x)
    for c, (mean, std) in enumerate([(0.5, 0.2), (0.4, 0.3), (0.3, 0.4)]):
        torch.testing.assert_close(out[:, c], (x[:, c].float() / 255 - mean) / std)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_restore_is_the_inverse_of_normalization():
    augment = Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    x = images()
    torch.testing.assert_close(augment.restore(augment(x)), x.float() / 255, rtol=0, atol=1e-6)


def test_one_generator_determines_everything():
    augment = Augmenter(ALL, (0.5,) * 3, (0.2,) * 3)
    x = images(8)
    before = x.clone()
    first, second = augment(x, rng(8, 1)), augment(x, rng(8, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(x, rng(8, 2)))
    assert first.shape == x.shape
    assert first.isfinite().all()
    assert torch.equal(x, before)


def test_a_slice_of_a_batch_is_augmented_as_in_the_whole():
    augment = Augmenter(ALL, (0.5,) * 3, (0.2,) * 3)
    x = images(12)
    whole = augment(x, rng(12, 3))
    halves = [augment(x[part], rng(12, 3, part)) for part in (slice(0, 6), slice(6, 12))]
    torch.testing.assert_close(torch.cat(halves), whole, rtol=0, atol=1e-6)


def test_gray_images_pass_through_everything():
    out = Augmenter(ALL, (0.5,), (0.2,))(images(64, channels=1), rng(64, 0))
    assert out.shape == (64, 1, 12, 12)
    assert out.isfinite().all()


def test_the_default_generator_is_used_without_one():
    augment = Augmenter(ALL, (0.5,) * 3, (0.2,) * 3)
    x = images(8)
    torch.manual_seed(5)
    first = augment(x)
    torch.manual_seed(5)
    assert torch.equal(first, augment(x))


def test_beta_draws():
    numbers = BatchRNG(torch.Generator().manual_seed(0), 200_000).beta(0.3)
    assert numbers.isfinite().all()
    assert abs(numbers.mean() - 0.5) < 0.005
    assert abs(numbers.var() - 0.25 / 1.6) < 0.002
    tiny = BatchRNG(torch.Generator().manual_seed(0), 10_000).beta(1e-3)
    assert tiny.isfinite().all()
    assert ((tiny >= 0) & (tiny <= 1)).all()


@pytest.mark.parametrize(("mode", "border"), [("constant", True), ("reflect", False)])
def test_pad_mode_decides_whether_a_crop_shows_a_black_border(mode, border):
    white = torch.full((32, 3, 8, 8), 255, dtype=torch.uint8)
    out = Augmenter(Augment(pad=2, pad_mode=mode), (0.0,) * 3, (1.0,) * 3)(white)
    assert bool((out == 0).any()) == border


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_holes_are_cut_into_as_many_images_as_the_recipe_says(probability):
    cut = Augmenter(Augment(cutout=4, cutout_prob=probability), (0.0,), (1.0,))
    images = torch.full((400, 1, 8, 8), 255, dtype=torch.uint8)
    share = (cut(images).amin((1, 2, 3)) == 0).float().mean().item()
    assert share == pytest.approx(probability, abs=0.1)


def test_what_is_restored_can_be_shown():
    x = torch.linspace(-20, 20, 64).view(1, 1, 8, 8)
    shown = Normalize((0.5,), (0.2,)).restore(x)
    assert (shown.min().item(), shown.max().item()) == (0, 1)
