"""Near-duplicate images."""

import pytest
import torch
from torch.nn import functional as F

from tinynets.engine.data.similar import near_duplicates


def scenes(count, seed, size=64):
    """Smooth colorful images, all different."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    return (F.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


def test_copies_are_found_and_others_are_not():
    train, others = scenes(300, 0), scenes(200, 1)
    assert (near_duplicates(others, train) == -1).all()
    noise = torch.randint(-6, 7, train.shape, generator=torch.Generator().manual_seed(2))
    again = (train.int() + noise + 4).clamp(0, 255).to(torch.uint8)[:50]  # saved again, a little lighter
    crops = F.interpolate(train[50:100, :, 1:-1, 1:-1].float(), (64, 64), mode="bilinear").to(torch.uint8)
    found = near_duplicates(torch.cat([again, crops, others]), train)
    assert found[:50].tolist() == list(range(50))
    crops = found[50:100] >= 0
    assert crops.float().mean() > 0.75
    assert torch.equal(found[50:100][crops], torch.arange(50, 100)[crops])
    assert (found[100:] == -1).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_flat_images_are_not_all_the_same(channels):
    """Their hashes are equal, but their thumbnails are not."""
    levels = torch.arange(0, 250, 50).to(torch.uint8)
    flat = levels[:, None, None, None].expand(-1, channels, 28, 28)
    assert near_duplicates(flat, flat[2:4]).tolist() == [-1, -1, 0, 1, -1]


def test_empty_sets():
    assert near_duplicates(scenes(0, 0), scenes(3, 0)).tolist() == []
    assert near_duplicates(scenes(2, 0)[:, :, :8, :8], scenes(3, 1)[:, :, :8, :8]).tolist() == [-1, -1]
