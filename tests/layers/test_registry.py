import pytest
import torch
from torch import nn

import tinynets
from tinynets.layers import registry

OURS = {
    "blur_pool",
    "divisive_norm",
    "dw_separable",
    "entropy_gate",
    "gated_dilated_conv2d",
    "is_norm",
    "symmetric_conv1x1",
}


def test_our_layers_are_known():
    assert set(tinynets.list_layers()) >= OURS


def test_create_passes_the_arguments_on():
    layer = tinynets.create_layer("divisive_norm", kernel_size=5)
    assert isinstance(layer, tinynets.layers.DivisiveNorm)
    assert layer.kernel_size == 5


def test_a_third_party_layer_can_be_registered_once(monkeypatch):
    monkeypatch.setattr(registry, "_LAYERS", dict(registry._LAYERS))

    @tinynets.register_layer
    class MyOwnReLU2d(nn.ReLU):
        pass

    assert isinstance(tinynets.create_layer("my_own_re_lu2d"), MyOwnReLU2d)
    with pytest.raises(ValueError, match="registered already"):
        tinynets.register_layer(MyOwnReLU2d)
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        tinynets.register_layer(torch.relu)


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown layer 'divisivenorm': did you mean divisive_norm"):
        tinynets.create_layer("divisivenorm")
