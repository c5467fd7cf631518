import csv
from pathlib import Path

import pytest
import torch
from firmware_support import SIZE, Small
from torch import nn

import tinynets
from tinynets.deploy.firmware.estimate import estimate
from tinynets.deploy.firmware.folder import read_metadata

# of the int8 nets on a Cortex-M4, at -O3; flash and ram are bytes by the linker's map
with (Path(__file__).parents[3] / "benchmarks/results/bench_firmware.csv").open(newline="") as table:
    MEASURED = [row for row in csv.DictReader(table) if (row["format"], row["board"]) == ("c", "m4")]


def test_ram_and_flash_of_the_generated_code(small_c):
    net, needs = read_metadata(small_c[0]), estimate(Small(), SIZE)
    assert needs.ram == net.ram
    assert needs.flash == pytest.approx(net.flash, rel=0.1)


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row["model"])
def test_within_ten_percent_of_the_measurements(row):
    model = tinynets.create_model(row["model"])
    needs = estimate(model, model.pretrained_cfg["input_size"])
    assert needs.flash == pytest.approx(int(row["flash"]), rel=0.1)
    assert needs.ram == int(row["ram"])


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
