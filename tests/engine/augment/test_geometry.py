import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from tinynets.engine.augment import BatchRNG
from tinynets.engine.augment.geometry import random_affine, random_crop, random_cutout, random_flip


def images(n=16, channels=3, height=9, width=7):
    return torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8)


def draws_for(x, seed=0):
    return BatchRNG(torch.Generator().manual_seed(seed), len(x))


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crop_cuts_a_window_of_the_padded_image(mode):
    x = images()
    out = random_crop(x, 2, draws_for(x), mode)
    padded = torch.nn.functional.pad(x.float(), (2, 2, 2, 2), mode=mode).byte()
    places = []
    for before, after in zip(padded, out, strict=True):
        found = [(i, j) for i in range(5) for j in range(5) if torch.equal(before[:, i : i + 9, j : j + 7], after)]
        assert len(found) == 1
        places += found
    assert len(set(places)) > 5


def test_reflection_about_an_image_that_is_too_small_is_refused():
    x = images(height=4)
    assert random_crop(x, 3, draws_for(x), "reflect").shape == x.shape
    with pytest.raises(ValueError, match=r"augment\.pad \(4\) must be below the images' side \(4\)"):
        random_crop(x, 4, draws_for(x), "reflect")


def test_flip_mirrors_about_half_of_the_images():
    x = images(400)
    out = random_flip(x, draws_for(x))
    flipped = torch.tensor([torch.equal(a.flip(2), b) for a, b in zip(x, out, strict=True)])
    same = torch.tensor([torch.equal(a, b) for a, b in zip(x, out, strict=True)])
    assert (flipped ^ same).all()
    assert 150 < flipped.sum() < 250


@pytest.mark.parametrize("ranges", [(30, 0, 0, 0), (0, 0.3, 0, 0), (0, 0, 20, 0), (0, 0, 0, 0.2), (25, 0.2, 15, 0.1)])
def test_affine_equals_torchvision_image_by_image(ranges):
    rotate, scale, shear, shift = ranges
    x = torch.rand(6, 2, 20, 28)
    out = random_affine(x, *ranges, draws_for(x, 5))
    numbers = (torch.rand(5, 6, generator=torch.Generator().manual_seed(5)) * 2 - 1).T.tolist()
    for image, result, (angle, factor, slant, right, down) in zip(x, out, numbers, strict=True):
        expected = reference.affine(
            image,
            angle=angle * rotate,
            translate=[right * shift * 28, down * shift * 20],
            scale=1 + factor * scale,
            shear=[slant * shear, 0.0],
            interpolation=reference.InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)


def test_affine_without_changes_is_the_identity():
    x = torch.rand(3, 2, 9, 7)
    torch.testing.assert_close(random_affine(x, 0, 0, 0, 0, draws_for(x)), x, rtol=0, atol=1e-5)


def test_affine_leaves_a_fraction_of_the_images_unchanged():
    x = torch.rand(300, 1, 9, 7)
    out = random_affine(x, 90, 0, 0, 0, draws_for(x), probability=0.3)
    changed = ((out - x).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    assert 0.2 < changed < 0.4


def test_cutout_blanks_one_square_clipped_at_the_border():
    x = torch.ones(200, 2, 9, 7)
    out = random_cutout(x, 4, draws_for(x))
    assert torch.equal(out[:, 0], out[:, 1])
    blank = out[:, 0] == 0
    heights, widths = blank.any(2).sum(1), blank.any(1).sum(1)
    assert torch.equal(heights * widths, blank.sum((1, 2)))
    assert heights.max() == widths.max() == 4
    assert heights.min() < 4
    assert (blank.float().mean(0) > 0).all()


def test_a_fraction_of_the_images_is_cut_out():
    x = torch.ones(400, 1, 40, 40)
    out = random_cutout(x, 4, draws_for(x), probability=0.5)
    blank = (out == 0).sum((1, 2, 3))
    assert 0.4 < (blank > 0).float().mean() < 0.6
    assert blank.max() == 16


def test_images_are_treated_one_by_one():
    """Each image with its own numbers gives what the batch gave."""
    x = images(5)
    whole = random_crop(x, 2, draws_for(x))
    for i in range(5):
        alone = random_crop(x[i : i + 1], 2, BatchRNG(torch.Generator().manual_seed(0), 5, slice(i, i + 1)))
        assert torch.equal(alone, whole[i : i + 1])


def test_a_crop_may_begin_at_every_place():
    image = torch.arange(1, 17, dtype=torch.uint8).view(1, 1, 4, 4)
    crops = random_crop(image.repeat(400, 1, 1, 1), 1, BatchRNG(torch.Generator().manual_seed(0), 400))
    assert len(crops.flatten(1).unique(dim=0)) == 9
