"""The Python of the site's pages runs as it stands."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tinynets.deploy import FORMATS, export
from tinynets.deploy.images import synthetic_images
from tinynets.engine import Normalize, load_trained, predict, read_image
from tinynets.layers import registry
from tinynets.weights import find_weights

DOCS = Path(__file__).parents[1] / "docs"


def _blocks(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


def write_photo(path):
    """A photo of smooth noise that is wider than high and lies on its side."""
    pixels = torch.randint(0, 256, (6, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels.numpy()).resize((80, 61)).save(path, exif=exif)


@pytest.mark.parametrize("page", ["index", "choose", "layers"])
def test_the_code_of_a_page_runs_from_top_to_bottom(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_photo("photo.jpg")
    monkeypatch.setattr(registry, "_LAYERS", dict(registry._LAYERS))  # a page registers a layer
    blocks = _blocks(page)
    assert blocks
    names = {}
    for block in blocks:
        exec(block, names)
    if page == "index":
        assert names["probabilities"].shape == (1, 10)
        assert names["probabilities"].sum().item() == pytest.approx(1, abs=1e-5)


def test_a_run_in_python_and_in_onnx_runtime_give_the_same_class(tmp_path, monkeypatch, capsys):
    if not FORMATS["onnx"].installed():
        pytest.skip("onnx needs optional packages")
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs/flowers"
    run.mkdir(parents=True)
    shutil.copy(find_weights("c1c2c3c4o_cifar10").path, run / "last.safetensors")
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        write_photo(name)
    export("runs/flowers", "onnx", "net.onnx")
    capsys.readouterr()
    for page, words in (("finetune", "tinynets.load("), ("deploy", "InferenceSession(")):
        (block,) = (block for block in _blocks(page) if words in block)
        exec(block, {})
    fine_tuned, exported = capsys.readouterr().out.split()
    assert fine_tuned == exported


@pytest.mark.parametrize("img_size", [(32, 32), (40, 60)])
def test_the_snippets_compute_what_predict_computes(img_size, tmp_path, monkeypatch, capsys):
    """The logits of the pages' own code in ONNX Runtime and LiteRT, and those of `predict`, for one photo."""
    if not (FORMATS["onnx"].installed() and FORMATS["tflite-int8"].installed()):
        pytest.skip("the formats need optional packages")
    monkeypatch.chdir(tmp_path)
    write_photo("photo.jpg")
    trained = load_trained("c1c2c3c4o_cifar10")
    names = trained.metadata.class_names
    calibration = synthetic_images(64, (3, *img_size))
    export("c1c2c3c4o_cifar10", "onnx", "net.onnx", img_size=img_size)
    options = {"calibration": calibration, "pixels": True, "class_names": names, "img_size": img_size}
    export("c1c2c3c4o_cifar10", "tflite-int8", "net.tflite", **options)
    pixels = read_image("photo.jpg", "RGB", img_size)
    normalize = Normalize(trained.metadata.mean, trained.metadata.std)
    expected = predict(trained.model, pixels[None], normalize)[0]
    for word in ("InferenceSession(", "import Interpreter"):
        (block,) = (block for block in _blocks("deploy") if word in block)
        seen = {}
        exec(block, seen)
        if "x" in seen:
            assert torch.from_numpy(seen["logits"][0]).allclose(expected, atol=1e-3)
        else:
            assert torch.equal(torch.from_numpy(seen["pixels"]).permute(2, 0, 1), pixels.short())
    onnx, lite = capsys.readouterr().out.split()
    assert onnx == names[expected.argmax()]
    assert lite in names
