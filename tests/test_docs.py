"""The Python of the site's pages runs as it stands."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tinynets.deploy import FORMATS, export
from tinynets.layers import registry
from tinynets.weights import find_weights

DOCS = Path(__file__).parents[1] / "docs"


def _blocks(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", ["index", "choose", "layers"])
def test_the_code_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
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
    run = tmp_path / "runs/pets"
    run.mkdir(parents=True)
    shutil.copy(find_weights("c1c2c3c4o_cifar10").path, run / "last.safetensors")
    pixels = torch.randint(0, 256, (6, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    Image.fromarray(pixels.numpy()).resize((80, 60)).save("photo.jpg")
    export("runs/pets", "onnx", "net.onnx")
    capsys.readouterr()
    for page, words in (("finetune", "load_trained"), ("deploy", "InferenceSession(")):
        (block,) = (block for block in _blocks(page) if words in block)
        exec(block, {})
    fine_tuned, exported = capsys.readouterr().out.split()
    assert fine_tuned == exported
