"""A small net with every kernel that the trained nets need, and the compilers that generated C has to pass."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from torch import nn

from tinynets.deploy import export
from tinynets.deploy.firmware.compiler import SCORES, build
from tinynets.deploy.firmware.folder import read_metadata
from tinynets.deploy.images import synthetic_images

SIZE = (3, 12, 10)
NAMES = ("cat", 'a "quoted" ?', "größe", "3")


class Small(nn.Module):
    """Convolutions with and without padding, strides and dilation, an addition, poolings and a classifier."""

    pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": SIZE, "architecture": "small net"}  # noqa: RUF012

    def __init__(self, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 12, 3, 2, 1)
        self.depthwise = nn.Conv2d(12, 12, 5, padding=2, groups=12)
        self.halve = nn.Conv2d(12, 12, 3, 2, 1, groups=12)
        self.wide = nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=12)
        self.mix = nn.Conv2d(12, 16, 1)
        self.fc = nn.Linear(16, classes)

    def forward(self, x):
        x = self.down(self.stem(x).relu()).relu()
        x = (x + self.depthwise(x)).relu()
        x = self.mix(self.wide(self.halve(x))).relu()
        return self.fc(x.mean((2, 3)))


def exported(model, to, path, **options):
    images = synthetic_images(64, model.pretrained_cfg["input_size"])
    return export(model, to, path, images=images, calibration=images, class_names=NAMES, tolerance=100, **options)


# With all warnings as errors, and sanitizers.
STRICT = ["-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = [
    pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"needs {name}"))
    for name in ("gcc", "clang", "g++", "clang++")
]


def compiled_scores(folder, pixels, work, command):
    """Scores of images by a folder's sources, compiled by a command of C or C++."""
    net = read_metadata(folder)
    driver, program = work / "scores.c", work / "scores"
    driver.write_text(SCORES.format(name=net.name, NAME=net.name.upper()))
    language = ["-x", "c++", "-std=c++17"] if command[0].endswith("++") else ["-std=c11"]
    sources = [*(folder / name for name in net.sources), driver]
    build(sources, program, [*command, *language], *(folder / name for name in net.includes))
    done = subprocess.run([str(program)], input=pixels.tobytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return np.frombuffer(done.stdout, np.int8 if net.integer else np.float32).reshape(len(pixels), -1)
