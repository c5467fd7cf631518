import shutil
import subprocess

import numpy as np
import pytest
import torch
from torch import nn

import tinynets
from tinynets.deploy import FORMATS, artifact, export
from tinynets.deploy.images import synthetic_images
from tinynets.deploy.microcontroller import arena_bytes, has_micro, load_micro, write_c_array
from tinynets.engine import Normalize
from tinynets.weights import read_manifest

SHIPPED = [name for name, weights in read_manifest().items() if "files" in weights.metadata]
micro = pytest.mark.skipif(not has_micro(), reason="needs tflite-micro")


def images_with_a_class(name, count):
    """Synthetic images, changed by two steps along the gradient of the first logit's lead over the second.

    On images of no class, that lead is as small as the difference between two runtimes' rounding. After six steps of
    four pixel values it is so large that even mirrored images keep their class.
    """
    model = tinynets.create_model(name, pretrained=True).eval()
    config = model.pretrained_cfg
    normalize = Normalize(config["mean"], config["std"])
    images = synthetic_images(count, config["input_size"]).float()
    for _ in range(2):
        images.requires_grad_()
        first, second = model(normalize(images)).topk(2).values.T
        (gradient,) = torch.autograd.grad((first - second).sum(), images)
        images = (images + gradient.sign()).detach().clamp(0, 255)
    return images.to(torch.uint8)


@micro
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "egrr" in name else []) for name in SHIPPED]
)
def test_shipped_files_run_on_a_microcontrollers_interpreter(name):
    """The same classes as LiteRT, in the arena that the manifest promises."""
    if not FORMATS["tflite-int8"].installed():
        pytest.skip("needs litert")
    path = artifact(name)
    content = path.read_bytes()
    pixels = images_with_a_class(name, 100).permute(0, 2, 3, 1).numpy()
    arena = arena_bytes(content)
    lite, small = FORMATS["tflite-int8"].load(path)(pixels), load_micro(content, arena)(pixels)
    assert np.mean(lite.argmax(1) == small.argmax(1)) >= 0.95
    assert np.abs(lite - small).mean() < 0.015 * np.abs(lite).max()
    assert len(set(small.argmax(1))) > 1
    promised = read_manifest()[name].metadata["files"]["tflite-int8"]["arena_bytes"]
    assert abs(arena - promised) <= 0.1 * promised


class Large(nn.Sequential):
    """More than 256 KiB of weights: the quantizer stores those in another way."""

    pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 8, 8)}  # noqa: RUF012

    def __init__(self):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.Conv2d(64, 512, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
        super().__init__(*layers)


@micro
def test_large_nets_keep_their_weights(tmp_path):
    if not FORMATS["tflite-int8"].installed():
        pytest.skip("needs litert")
    images = synthetic_images(100, (3, 8, 8))
    result = export(Large(), "tflite-int8", tmp_path / "net.tflite", images=images, calibration=images, tolerance=20)
    assert result.bytes > 300_000
    content = result.path.read_bytes()
    batch = ((images / 255 - 0.5) / 0.25).numpy()
    lite, small = FORMATS["tflite-int8"].load(result.path)(batch), load_micro(content)(batch)
    assert np.abs(lite - small).max() < 0.02 * np.abs(lite).max()
    assert len(set(small.argmax(1))) > 1
    assert arena_bytes(content) < 40_000  # activations only, no weights


@micro
def test_an_unsupported_operator_is_a_one_line_error(tmp_path):
    if not FORMATS["tflite"].installed():
        pytest.skip("needs litert")

    class Angles(nn.Module):
        pretrained_cfg = {"mean": (0.5,), "std": (0.5,), "input_size": (1, 4, 4)}  # noqa: RUF012

        def forward(self, x):
            return torch.atan2(x, x + 5).flatten(1)[:, :3]

    export(Angles(), "tflite", tmp_path / "net.tflite")
    with pytest.raises(RuntimeError, match=r"^TensorFlow Lite Micro cannot run this file: .+"):
        arena_bytes((tmp_path / "net.tflite").read_bytes())


def test_c_array_holds_the_bytes(tmp_path):
    content = bytes(range(256)) + b"end"
    header, source = write_c_array(content, tmp_path / "my net.tflite")
    assert header.name == "my net.h"
    assert "extern const unsigned char g_my_net[];" in header.read_text()
    text = source.read_text()
    array = text[text.index("{") + 1 : text.index("}")]
    assert bytes(int(item, 16) for item in array.split(",")) == content
    assert "g_my_net_len = 259" in text


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_c_array_compiles(tmp_path):
    _, source = write_c_array(b"\x00\x01\xff", tmp_path / "net")
    main = tmp_path / "main.cc"
    main.write_text('#include "net.h"\nint main() { return g_net_len == 3 && g_net[2] == 255 ? 0 : 1; }\n')
    program = tmp_path / "program"
    subprocess.run(["g++", "-Wall", "-Werror", str(main), str(source), "-o", str(program)], check=True)
    subprocess.run([str(program)], check=True)
