import pytest
import torch

from tinynets.layers import BlurPool


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_output_is_the_ceiling(stride, size):
    out = BlurPool(3, stride)(torch.randn(2, 3, size, size))
    assert out.shape == (2, 3, -(-size // stride), -(-size // stride))


def test_is_the_binomial_filter():
    impulse = torch.zeros(1, 1, 5, 5)
    impulse[0, 0, 2, 2] = 16
    assert BlurPool(1, 1)(impulse)[0, 0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_keeps_constants_up_to_the_border():
    torch.testing.assert_close(BlurPool(2)(torch.full((1, 2, 5, 5), 3.0)), torch.full((1, 2, 3, 3), 3.0))


def test_has_nothing_to_train_or_save():
    assert not list(BlurPool(4).parameters())
    assert not BlurPool(4).state_dict()


def test_a_layer_built_on_meta_has_its_filter_once_it_is_loaded():
    pool = BlurPool(2, device="meta")
    pool.load_state_dict({}, assign=True)
    torch.testing.assert_close(pool.filt, BlurPool(2).filt)
