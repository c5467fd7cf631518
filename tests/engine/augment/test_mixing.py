import pytest
import torch
from torch.nn import functional as F

from tinynets.engine import Mixing
from tinynets.engine.augment import BatchRNG, Mixer
from tinynets.engine.augment.mixing import cutmix, mixup, ricap


def batch(n=8, channels=2, height=8, width=6, classes=5):
    x = torch.randn(n, channels, height, width)
    labels = torch.randint(0, classes, (n,))
    return x, labels, F.one_hot(labels, classes).float()


def rng(n, seed=0, part=None):
    return BatchRNG(torch.Generator().manual_seed(seed), n, part)


def test_mixup_image_by_image():
    x, _, targets = batch()
    mixed, shares = mixup(x, targets, rng(8))
    share = rng(8).beta(0.2)
    for i in range(8):
        torch.testing.assert_close(mixed[i], share[i] * x[i] + (1 - share[i]) * x[i ^ 1])
        torch.testing.assert_close(shares[i], share[i] * targets[i] + (1 - share[i]) * targets[i ^ 1])
    assert len(share.unique()) == 8


def test_cutmix_pastes_a_box_and_counts_its_pixels():
    x, _, targets = batch(64)
    mixed, shares = cutmix(x, targets, rng(64))
    areas = []
    for i in range(64):
        own = (mixed[i] == x[i]).all(0)
        pasted = ~own
        rows, columns = pasted.any(1), pasted.any(0)
        assert torch.equal(pasted, rows.unsqueeze(1) & columns.unsqueeze(0))  # a rectangle
        assert torch.equal(mixed[i][:, pasted], x[i ^ 1][:, pasted])
        share = own.float().mean()
        torch.testing.assert_close(shares[i], share * targets[i] + (1 - share) * targets[i ^ 1])
        areas.append(1 - share.item())
    assert len(set(areas)) > 10


def test_ricap_is_four_crops_around_a_corner():
    n, height, width = 16, 8, 6
    x = torch.arange(n * height * width).view(n, 1, height, width).float()  # every pixel encodes its position
    targets = torch.eye(n)
    mixed, shares = ricap(x, targets, rng(n), 0.8)
    source, place = (mixed[:, 0] // (height * width)).long(), (mixed[:, 0] % (height * width)).long()
    row, column = place // width, place % width
    for i in range(n):
        counts = torch.zeros(n)
        for q in range(4):
            inside = source[i] == i ^ q
            if not inside.any():
                continue
            rows, columns = inside.any(1).nonzero().flatten(), inside.any(0).nonzero().flatten()
            assert inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert rows[0] == 0 if q < 2 else rows[-1] == height - 1
            assert columns[0] == 0 if q % 2 == 0 else columns[-1] == width - 1
            # a crop: source rows and columns have a constant offset from the target's
            assert (row[i][inside] - row[i][rows[0], columns[0]]).tolist() == [
                (r - rows[0]).item() for r in rows for _ in columns
            ]
            assert (column[i][inside] - column[i][rows[0], columns[0]]).tolist() == [
                (c - columns[0]).item() for _ in rows for c in columns
            ]
            counts[i ^ q] = inside.sum()
        torch.testing.assert_close(shares[i], counts / (height * width))


def test_batches_that_are_no_multiple_of_four():
    x, _, targets = batch(5)
    for mix in (mixup, cutmix, ricap):
        mixed, shares = mix(x, targets, rng(5))
        assert mixed.shape == x.shape
        torch.testing.assert_close(shares.sum(1), torch.ones(5))
        if mix is not ricap:
            torch.testing.assert_close(mixed[4], x[4])


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "ricap"])
def test_halves_of_a_batch_mix_as_in_the_whole(kind):
    x, labels, _ = batch(16)
    mixer = Mixer(Mixing(**{kind: 1.0}), 5)
    whole, shares = mixer(x, labels, rng(16))
    for part in (slice(0, 8), slice(8, 16)):
        mixed, own = mixer(x[part], labels[part], rng(16, part=part))
        torch.testing.assert_close(mixed, whole[part])
        torch.testing.assert_close(own, shares[part])


def test_mixing_probabilities():
    x, labels, _ = batch(4)
    mixer = Mixer(Mixing(mixup=0.3, cutmix=0.3, ricap=0.2), 5)
    numbers = rng(4)
    mixed = sum(mixer(x, labels, numbers)[1].ndim == 2 for _ in range(2000)) / 2000
    assert 0.77 < mixed < 0.83
    halved = sum(mixer(x, labels, numbers, strength=0.5)[1].ndim == 2 for _ in range(2000)) / 2000
    assert 0.37 < halved < 0.43


def test_without_mixing_no_random_numbers_are_drawn():
    x, labels, _ = batch()
    numbers = rng(8)
    before = numbers.generator.get_state()
    for mixer, strength in ((Mixer(Mixing(), 5), 1.0), (Mixer(Mixing(mixup=1.0), 5), 0.0)):
        same, targets = mixer(x, labels, numbers, strength)
        assert same is x
        assert targets is labels
    assert torch.equal(numbers.generator.get_state(), before)
