import math

import pytest
import torch
from torch import nn

from tinynets.engine import Augment, Augmenter, evaluate

IDENTITY = Augmenter(Augment(), (0.0,), (1.0,))


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


def test_the_mode_comes_back():
    model = Oracle().train()
    evaluate(model, *data([0]), IDENTITY)
    assert model.training
    frozen = nn.Sequential(Oracle(), nn.BatchNorm1d(6)).train()
    frozen[1].eval()
    with pytest.raises(ValueError, match="the model has 6 classes"):
        evaluate(frozen, data([0])[0], torch.tensor([9]), IDENTITY)
    assert [module.training for module in frozen.modules()] == [True, True, False]


def test_nothing_to_evaluate_and_unknown_classes():
    with pytest.raises(ValueError, match="no images"):
        evaluate(Oracle(), *data([]), IDENTITY)
    images, _ = data([0, 0])
    with pytest.raises(ValueError, match="the data have class 7, the model has 6 classes"):
        evaluate(Oracle(), images, torch.tensor([0, 7]), IDENTITY)
