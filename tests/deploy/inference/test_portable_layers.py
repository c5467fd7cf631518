import pytest
import torch
from support import randomised
from torch import nn

import tinynets
from tinynets.deploy.inference import portable
from tinynets.layers import create_layer


@pytest.mark.parametrize("name", tinynets.list_models())
def test_portable_models_compute_the_same(name):
    model = randomised(tinynets.create_model(name))
    images = torch.randn(3, *model.pretrained_cfg["input_size"])
    with torch.no_grad():
        torch.testing.assert_close(portable(model)(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [33, 37])
@pytest.mark.parametrize(("name", "args"), [("egrr_cifar100", {"width": 0.25}), ("ecnet_cifar10", {"channels": 8})])
def test_sizes_that_strides_do_not_divide(name, args, side):
    model = randomised(tinynets.create_model(name, **args))
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(portable(model)(images), model(images), rtol=1e-4, atol=1e-4)


def test_hard_gates_stay_hard():
    model = randomised(tinynets.create_model("egrr_cifar100", width=0.25, hard=True))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(portable(model)(images), model(images), rtol=1e-4, atol=1e-4)


class OurLayers(nn.Module):
    """Somebody's network with every layer that has a portable form."""

    def __init__(self):
        super().__init__()
        self.gate = create_layer("entropy_gate", channels=8)
        self.conv = create_layer("gated_dilated_conv2d", channels=8, bias=True)
        self.norm = create_layer("divisive_norm", kernel_size=5)
        self.blur = create_layer("blur_pool", channels=8)
        self.mix = create_layer("symmetric_conv1x1", channels=8)

    def forward(self, x):
        return self.mix(self.blur(self.norm(self.conv(x, self.gate(x)))))


def test_layers_in_a_third_party_network():
    net = OurLayers().eval()
    nn.init.normal_(net.conv.bias)
    x = torch.randn(2, 8, 9, 12)
    with torch.no_grad():
        torch.testing.assert_close(portable(net)(x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"ceil_mode": True}, {"padding": 1}, {"divisor_override": 3}], ids=str)
@pytest.mark.parametrize("side", [8, 9])
def test_pooling_of_every_kind(options, side):
    pool = nn.AvgPool2d(2, count_include_pad=False, **options)
    x = torch.randn(2, 3, side, side)
    torch.testing.assert_close(portable(nn.Sequential(pool))(x), pool(x))


def test_the_model_is_unchanged():
    model = randomised(tinynets.create_model("ecnet_cifar10"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    portable(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
