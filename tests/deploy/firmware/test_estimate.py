import pytest
import torch
from firmware_support import SIZE, Small
from torch import nn

import tinynets
from tinynets.deploy.firmware.estimate import estimate
from tinynets.deploy.firmware.folder import read_metadata

# Flash and RAM in bytes by the linker's map of a Cortex-M4, at -O3: benchmarks/results/bench_firmware.csv
MEASURED = {
    "c1c2c3c4o_cifar10": (103_776, 63_488),
    "mote_100k": (132_968, 88_064),
    "mote_25k": (45_252, 71_680),
    "mote_420k": (484_332, 104_448),
    "mote_50k": (73_852, 71_680),
    "optimized200k_cifar10": (192_968, 67_584),
}


def test_ram_and_flash_of_the_generated_code(small_c):
    net, needs = read_metadata(small_c[0]), estimate(Small(), SIZE)
    assert needs.ram == net.ram
    assert needs.flash == pytest.approx(net.flash, rel=0.1)


@pytest.mark.parametrize("name", MEASURED)
def test_within_ten_percent_of_the_measurements(name):
    needs = estimate(tinynets.create_model(name), (3, 32, 32))
    flash, ram = MEASURED[name]
    assert needs.flash == pytest.approx(flash, rel=0.1)
    assert needs.ram == ram


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 1), nn.LeakyReLU()),
            "layer 1 uses leaky_relu, which the int8 C generator does not support",
        ),
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 6, 1, groups=3), nn.Sigmoid()), "layer 2 uses sigmoid"),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 3, groups=2)), "layer 1 is a convolution in 2 groups"),
    ],
)
def test_unsupported_layers_are_one_line_errors(layer, reason):
    with pytest.raises(RuntimeError, match=f"^{reason}.*: export it with --to c-fp32$"):
        estimate(layer, (3, 8, 8))


def test_the_model_is_unchanged():
    model = Small().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    estimate(model, SIZE)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
