import pytest
import torch

from tinynets._statistics import CIFAR10, MNIST
from tinynets.engine.data import wrong_polarity


def drawing(paper, ink):
    image = torch.full((1, 28, 28), paper, dtype=torch.uint8)
    image[:, 4:24, 12:16] = ink
    return image


LIGHT, DARK = drawing(255, 0), drawing(0, 255)


@pytest.mark.parametrize(
    ("mean", "std", "wrong"),
    [
        (MNIST.mean, MNIST.std, [True, False, True]),
        ((0.305,), (0.376,), [True, False, True]),  # scikit-learn's digits
        ((0.87,), (0.308,), [False, True, False]),
        ((0.45,), (0.25,), [False, False, False]),  # gray photos
        ((0.35,), (0.25,), [False, False, False]),  # dark photos
        ((0.5,), (0.6,), [False, False, False]),
    ],
)
def test_the_border_is_compared_with_what_the_statistics_imply(mean, std, wrong):
    images = torch.stack([LIGHT, DARK, drawing(200, 30)])
    assert wrong_polarity(images, mean, std).tolist() == wrong


def test_color_images():
    images = torch.stack([LIGHT, DARK]).repeat(1, 3, 1, 1)
    assert wrong_polarity(images, MNIST.mean * 3, MNIST.std * 3).tolist() == [True, False]
    assert not wrong_polarity(images, *CIFAR10).any()
