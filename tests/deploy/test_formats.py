"""What the formats share, and the arithmetic of integer files, without the packages that write and run them."""

import numpy as np
import pytest
import torch
from torch.torch_version import TorchVersion

from tinynets.deploy.formats import Format
from tinynets.deploy.formats.tflite import as_nhwc, dequantized, quantized
from tinynets.deploy.formats.tflite_int8 import _min_max_update

BYTES = {"quantization": (0.5, -3), "dtype": np.int8}
PLAIN = {"quantization": (0.0, 0), "dtype": np.float32}


def test_a_format_needs_its_version_of_pytorch():
    major, minor = map(int, torch.__version__.split(".")[:2])
    this, next_one = Format("x", ".x", "x", f"{major}.{minor}"), Format("x", ".x", "x", f"{major}.{minor + 1}")
    this.require()
    assert this.installed()
    assert not next_one.installed()
    with pytest.raises(ImportError, match=rf"x needs PyTorch {major}\.{minor + 1} or newer, .* is installed"):
        next_one.require()


def test_an_alpha_version_of_pytorch_passes(monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.8.0a0+5228986c39.nv25.06"))
    Format("x", ".x", "x", "2.8").require()
    assert not Format("x", ".x", "x", "2.9").installed()


def test_integers_are_rounded_and_stay_in_their_range():
    assert quantized(np.array([-1.0, 0.24, 0.26, 30.0, 1000.0, -1000.0]), BYTES).tolist() == [-5, -3, -2, 57, 127, -128]
    assert quantized(np.array([0.25]), PLAIN).tolist() == [0.25]


def test_integers_become_numbers_again():
    assert dequantized(np.array([-3, -1, 127, -128], dtype=np.int8), BYTES).tolist() == [0, 1, 65, -62.5]
    assert dequantized(np.array([0.25]), PLAIN).tolist() == [0.25]


def test_channels_come_last_where_the_file_wants_them():
    maps = np.arange(60).reshape(1, 3, 4, 5)
    last = as_nhwc(maps, np.array([1, 4, 5, 3]))
    assert last.shape == (1, 4, 5, 3)
    assert last[0, 1, 2, 0] == maps[0, 0, 1, 2]
    assert last.flags["C_CONTIGUOUS"]
    assert as_nhwc(last, np.array([1, 4, 5, 3])) is last


def test_a_range_is_the_widest_of_all_images():
    one, other = ({"min": np.array([low]), "max": np.array([high])} for low, high in ((-1, 2), (-3, 1)))
    assert _min_max_update(one, other) == {"min": [-3], "max": [2]}
