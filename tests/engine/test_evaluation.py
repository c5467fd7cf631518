import math

import pytest
import torch
from torch import nn

from tinynets.engine import Normalize, calibration_bins, confusion_matrix, evaluate, predict
from tinynets.engine.evaluation import metrics, shift_consistency

IDENTITY = Normalize((0.0,), (1.0,))


class Oracle(nn.Module):
    """Reads the class off the image's first pixel; ranks it second where the second pixel is lit."""

    def __init__(self, classes=6):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.classes = classes

    def forward(self, x):
        label = (x[:, 0, 0, 0] * 255).round().long()
        logits = torch.zeros(len(x), self.classes)
        logits[torch.arange(len(x)), label] = 10.0
        logits[:, -1] += 20.0 * (x[:, 0, 0, 1] > 0)
        return logits


def data(labels, wrong=()):
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor(labels)
    for i in wrong:
        images[i, 0, 0, 1] = 255
    return images, torch.tensor(labels)


def test_accuracy_and_loss():
    result = evaluate(Oracle(), *data([0, 1, 2, 3], wrong=[1]), IDENTITY, batch_size=3)
    assert result["top1"] == 75.0
    assert result["top5"] == 100.0
    right, wrong = math.log(math.exp(10) + 5) - 10, math.log(math.exp(10) + math.exp(20) + 4) - 10
    assert result["loss"] == pytest.approx((3 * right + wrong) / 4, rel=1e-5)
    assert result["images"] == 4
    assert result["images_per_second"] > 0


def test_fewer_than_five_classes():
    assert evaluate(Oracle(3), *data([0, 1, 0]), IDENTITY)["top5"] == 100.0


def test_is_done_in_evaluation_mode():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4, 3)).train()
    images, labels = torch.randint(0, 256, (40, 1, 2, 2), dtype=torch.uint8), torch.arange(40) % 3
    results = [evaluate(model, images, labels, IDENTITY, batch_size)["loss"] for batch_size in (40, 7)]
    assert results[0] == pytest.approx(results[1], rel=1e-5)
    assert int(model[0].num_batches_tracked) == 0


def test_the_mode_is_restored():
    model = Oracle().train()
    evaluate(model, *data([0]), IDENTITY)
    assert model.training
    frozen = nn.Sequential(Oracle(), nn.BatchNorm1d(6)).train()
    frozen[1].eval()
    with pytest.raises(ValueError, match="out of range for 6 classes"):
        evaluate(frozen, data([0])[0], torch.tensor([9]), IDENTITY)
    assert [module.training for module in frozen.modules()] == [True, True, False]


def test_nothing_to_evaluate_and_unknown_classes():
    with pytest.raises(ValueError, match="no images"):
        evaluate(Oracle(), *data([]), IDENTITY)
    images, _ = data([0, 0])
    with pytest.raises(ValueError, match="label 7 out of range for 6 classes"):
        evaluate(Oracle(), images, torch.tensor([0, 7]), IDENTITY)


def test_per_class_accuracy_and_confusion():
    logits = torch.eye(3)[[0, 0, 1, 2, 1]] * 4
    labels = torch.tensor([0, 1, 1, 2, 1])
    result = metrics(logits, labels)
    assert result["per_class"] == pytest.approx([100.0, 200 / 3, 100.0])
    assert confusion_matrix(logits, labels).tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 1]]
    assert metrics(logits[:2], torch.tensor([0, 1]))["per_class"] == [100.0, 0.0, None]


def test_calibration_error():
    """Ten predictions of confidence 0.8, of which five are right: 30 % off; certain and right: 0."""
    confident = torch.tensor([[math.log(0.8), math.log(0.2)]]).repeat(10, 1)
    labels = torch.tensor([0] * 5 + [1] * 5)
    assert metrics(confident, labels)["calibration_error"] == pytest.approx(30, abs=1e-3)
    # overconfident at 0.9, underconfident at 0.75: in separate bins they do not cancel
    logits = torch.tensor([[math.log(0.9), math.log(0.1)], [math.log(0.75), math.log(0.25)]]).repeat_interleave(4, 0)
    result = metrics(logits, torch.tensor([0, 0, 0, 1, 0, 0, 0, 0]))
    assert result["calibration_error"] == pytest.approx((15 + 25) / 2, abs=1e-3)
    certain = torch.eye(2)[[0, 1, 1]] * 100
    assert metrics(certain, torch.tensor([0, 1, 1]))["calibration_error"] == pytest.approx(0, abs=1e-3)
    both = torch.cat([confident, certain.repeat(10, 1)])
    assert metrics(both, torch.cat([labels, torch.tensor([0, 1, 1] * 10)]))["calibration_error"] == pytest.approx(
        30 * 10 / 40, abs=1e-3
    )


def test_calibration_bins():
    logits = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.4, 0.6], [0.75, 0.25]]).log()
    bins = calibration_bins(logits, torch.tensor([0, 1, 1, 0]), bins=10)
    assert bins.shape == (10, 3)
    torch.testing.assert_close(bins[9].float(), torch.tensor([0.5, 0.95, 0.5]))  # two images, one of them correct
    torch.testing.assert_close(bins[[5, 7]].float(), torch.tensor([[0.25, 0.6, 1], [0.25, 0.75, 1]]))
    assert bins[[0, 1, 2, 3, 4, 6, 8]].count_nonzero() == 0


def test_test_time_augmentation_averages_views():
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(36, 4))

        def forward(self, x):
            return x.flatten(1) @ self.weight

    model = Linear()
    images = torch.randint(0, 256, (3, 1, 6, 6), dtype=torch.uint8)
    x = images.float() / 255
    edge = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    shifted = [edge[:, :, i : i + 6, j : j + 6] for i, j in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))]
    mirrored = [
        nn.functional.pad(x.flip(3), (1, 1, 1, 1), mode="replicate")[:, :, i : i + 6, j : j + 6]
        for i, j in ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    ]
    views = {"none": [x], "flip": [x, x.flip(3)], "shift": shifted, "flip+shift": shifted + mirrored}
    for tta, expected in views.items():
        mean = torch.stack([model(view) for view in expected]).mean(0)
        torch.testing.assert_close(predict(model, images, IDENTITY, 2, tta), mean, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="unknown test-time augmentation 'flips': did you mean flip"):
        predict(model, images, IDENTITY, tta="flips")


@pytest.mark.parametrize("batch_size", [1, 500])
def test_shift_consistency_counts_images_and_directions(batch_size):
    even = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    corner = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    corner[0, 0, 0, 0] = 1  # moves out of the first pixel in two of four directions
    images = torch.cat([even, corner, corner])
    images[1:, :, :, 1] = 0
    assert shift_consistency(FirstPixel(), images, IDENTITY, batch_size) == pytest.approx(100 * 8 / 12)
    with pytest.raises(ValueError, match="no images"):
        shift_consistency(FirstPixel(), images[:0], IDENTITY)


class FirstPixel(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.eye(3)[(x[:, 0, 0, 0] * 255).round().long()]
