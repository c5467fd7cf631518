import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinynets.weights import read_manifest

EXAMPLES = Path(__file__).parents[1] / "examples"
TRAINING = ["train_simplecnn", "train_c1c2c3c4o", "train_optimized200k", "train_ecnet", "train_egrr", "one_layer"]
SMALL = {"train_ecnet": ["--channels", "8", "--iterations", "3"]}


def play(name, *argv):
    sys.argv = [name, *map(str, argv)]
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.fixture(autouse=True)
def _argv(monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)


def pictures(count):
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = generator.integers(0, 90, (count, 8, 8, 3), dtype=np.uint8)
    images[labels == 1, :4] += 150
    return images, labels


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*TRAINING, "finetune_imagefolder", "int8_without_torch"}
    for name in TRAINING[:5]:
        assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 40


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "train_egrr")) for name in TRAINING]
)
def test_training(name, tmp_path, capsys):
    x, y = pictures(320 if name in ("train_ecnet", "train_egrr") else 160)  # more than a batch
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    play(name, "--data", tmp_path / "x.npz", "--epochs", 2, "--out", tmp_path / "run", *SMALL.get(name, []))
    out = capsys.readouterr().out
    assert "%" in out
    if name == "one_layer":
        assert "0 strided" not in out
    assert (tmp_path / "run/summary.json").exists()


def test_int8_without_torch(tmp_path):
    """In a process of its own, whose last line asserts that PyTorch was not imported."""
    pytest.importorskip("ai_edge_litert")
    Image.fromarray(pictures(1)[0][0]).save(tmp_path / "photo.png")
    command = [sys.executable, EXAMPLES / "int8_without_torch.py", tmp_path / "photo.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in read_manifest()["c1c2c3c4o_cifar10"].metadata["class_names"]


def test_fine_tuning_a_folder(tmp_path, capsys):
    for part, count in (("train", 64), ("val", 32)):
        for index, (image, label) in enumerate(zip(*pictures(count), strict=True)):
            folder = tmp_path / part / ("dark", "bright")[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index}.png")
    for options, epochs, expected in (([], 12, 90), (["--freeze"], 24, 75)):
        out = tmp_path / f"run{len(options)}"
        play("finetune_imagefolder", tmp_path, "--epochs", epochs, "--out", out, *options)
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.endswith(f"% right after {epochs} epochs; run directory: {out}")
        assert float(last.split(" % right")[0].split()[-1]) > expected, last
