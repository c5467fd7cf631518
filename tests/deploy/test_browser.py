"""Exported models in a browser: onnxruntime-web in headless Chromium."""

import http.server
import json
import re
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from browsers import BROWSER, onnxruntime_web
from PIL import Image
from support import randomised

import tinynets
from tinynets.deploy import FORMATS, export
from tinynets.deploy.images import synthetic_images
from tinynets.engine import read_image
from tinynets.models import full_name
from tinynets.weights import find_weights

HERE = Path(__file__).with_name("browser")
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
    pytest.mark.skipif(not FORMATS["onnx"].installed(), reason="needs onnx"),
]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    return onnxruntime_web(tmp_path_factory.mktemp("npm"))


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html", "": "text/plain"}  # noqa: RUF012

    def do_POST(self):
        self.server.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *args):
        pass


def in_browser(folder):
    """What the page sends back."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    server.answered = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = f"http://127.0.0.1:{server.server_port}/page.html"
    profile = f"--user-data-dir={folder / 'profile'}"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", profile, page, "--remote-debugging-port=0"]
    browser = subprocess.Popen([BROWSER, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert server.answered.wait(120), "the page did not answer"
        return server.answer
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()
        server.server_close()


QUICK = ("simplecnn_mnist",)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in tinynets.list_models() if n not in QUICK)]
)
def test_same_classes_in_the_browser(name, runtime, tmp_path):
    pretrained = full_name(name) in tinynets.list_models(pretrained=True)
    small = {"width": 0.25} if name == "egrr_cifar100" and not pretrained else {}
    model = tinynets.create_model(name, pretrained=pretrained, **small)
    model = model.eval() if pretrained else randomised(model)
    export(model, "onnx", tmp_path / "net.onnx")
    images = torch.randn(8, *model.pretrained_cfg["input_size"], generator=torch.Generator().manual_seed(0))
    (tmp_path / "images.bin").write_bytes(images.numpy().tobytes())
    (tmp_path / "shape.json").write_text(json.dumps(list(images.shape)))
    shutil.copy(HERE / "page.html", tmp_path)
    (tmp_path / "ort").symlink_to(runtime)
    answer = in_browser(tmp_path)
    assert "error" not in answer, answer["error"]
    with torch.no_grad():
        expected = model(images).numpy()
    logits = np.array(answer["logits"]).reshape(answer["dims"])
    assert (logits.argmax(1) == expected.argmax(1)).all()
    assert np.abs(logits - expected).max() < 1e-3 * np.abs(expected).max()


def write_photo(path):
    """A JPEG of smooth noise with fine grain, lying on its side."""
    image = synthetic_images(1, (3, 16, 16))[0].permute(1, 2, 0).numpy()
    grain = np.random.default_rng(0).integers(-40, 40, (201, 338, 3))
    pixels = np.array(Image.fromarray(image).resize((338, 201), Image.Resampling.BICUBIC)) + grain
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=95, exif=exif)


@pytest.mark.parametrize("img_size", [(32, 32), (40, 60)])
def test_the_page_of_the_docs_predicts_as_tinynets_does(img_size, runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_photo("photo.jpg")
    Path("runs/flowers").mkdir(parents=True)
    shutil.copy(find_weights("c1c2c3c4o_cifar10").path, "runs/flowers/last.safetensors")
    docs = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    (code,) = re.findall(r'python -c "([^"]*classes\.json[^"]*)"', docs)
    exec(code, {})
    export("runs/flowers", "onnx", "net.onnx", pixels=True, img_size=img_size)
    page = (ROOT / "examples/browser.html").read_text(encoding="utf-8")
    version = json.loads((ROOT / "tools/package.json").read_text())["dependencies"]["onnxruntime-web"]
    page, count = re.subn(rf"https://cdn\S+/onnxruntime-web@{re.escape(version)}/dist/", "./ort/", page)
    assert count == 1
    Path("page.html").write_text((HERE / "choose_photo.html").read_text(encoding="utf-8") + page, encoding="utf-8")
    Path("ort").symlink_to(runtime)
    answer = in_browser(tmp_path)
    assert "error" not in answer, answer["error"]
    trained = tinynets.load("runs/flowers")
    if img_size == trained.img_size:
        expected = trained.predict("photo.jpg")
    else:
        (expected,) = trained.predict(read_image("photo.jpg", "RGB", img_size)[None])
    shown = [line.split(" % ") for line in answer["text"].splitlines()]
    assert [name for _, name in shown] == [name for name, _ in expected]
    assert [float(percent) for percent, _ in shown] == pytest.approx([100 * p for _, p in expected], abs=0.3)
