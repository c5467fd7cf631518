"""The site's live demo: Chromium uses it as a reader would, and it answers as PyTorch does."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from browsers import BROWSER, onnxruntime_web, playwright_core
from filelock import FileLock
from PIL import Image, ImageDraw
from support import load_tool

from tinynets.deploy import FORMATS
from tinynets.deploy.images import synthetic_images
from tinynets.engine import load_data, load_trained, read_image

DEMO = Path(__file__).parents[1] / "docs/demo"
DRIVER = Path(__file__).parent / "demo/drive.mjs"
SOURCES = sorted(path.name for path in DEMO.iterdir() if path.is_file())
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
    pytest.mark.skipif(not FORMATS["onnx"].installed(), reason="needs onnx"),
]


def test_offline_the_page_has_every_one_of_its_files():
    text = (DEMO / "offline.js").read_text(encoding="utf-8")
    kept = re.findall(r'"([^"]+)"', re.search(r"SOURCES = \[(.*?)\]", text, re.DOTALL)[1])
    assert sorted([*kept, "offline.js"]) == sorted(["./", "files/files.json", *SOURCES])


def test_every_file_that_the_page_names_is_there():
    for name in SOURCES:
        text = (DEMO / name).read_text(encoding="utf-8")
        named = re.findall(r'from "\./([^"]+)"|new URL\("([^"/]+)", import|(?:src|href)="([^":/]+)"', text)
        assert {next(filter(None, match)) for match in named} <= set(SOURCES), name


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """One folder for all of pytest-xdist's processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def images():
    """Digits (N, 1, 28, 28) and photos (N, 3, 32, 32): test images of the real data sets where they are."""
    folder = os.environ.get("TINYNETS_DATA")
    if folder:
        photos = [load_data(name, folder).test_images[:20] for name in ("cifar10", "cifar100")]
        return load_data("mnist", folder).test_images[:20], torch.cat(photos)
    digits = torch.nn.functional.interpolate(load_data("digits").test_images[:20].float(), (20, 20), mode="bilinear")
    return torch.nn.functional.pad(digits.round().to(torch.uint8), (4, 4, 4, 4)), synthetic_images(20, (3, 32, 32))


@pytest.fixture(scope="session")
def seen(work, images):
    """What the driver saw on the page, built anew. The first process that comes does it."""
    result = work / "seen.json"
    with FileLock(work / "lock"):
        if not result.exists():
            result.write_text(use_the_demo(work, images))
    return json.loads(result.read_text())


def use_the_demo(work, images):
    """What the driver prints."""
    runtime = onnxruntime_web(work)
    modules = playwright_core(work, runtime)
    site = work / "site"
    site.mkdir(exist_ok=True)
    for name in SOURCES:
        (site / name).write_bytes((DEMO / name).read_bytes())
    load_tool("build_demo").build(site / "files", runtime)
    paths = {"digits": [], "photos": []}
    for kind, batch in zip(paths, images, strict=True):
        for index, image in enumerate(batch.permute(0, 2, 3, 1).numpy()):
            path = work / f"{kind}{index}.png"
            Image.fromarray(image.squeeze()).save(path)
            paths[kind].append(str(path))
    (work / "no_image.png").write_text("no image")
    save_large(work)
    places = {"site": site, "chromium": BROWSER, "modules": modules / "x"}
    places |= {name: work / f"{name}.png" for name in ("no_image", "paper")}
    job = {key: str(path) for key, path in places.items()} | paths | {"strokes": STROKES}
    job["large"] = [str(work / name) for name in LARGE]
    (work / "job.json").write_text(json.dumps(job))
    command = ["node", str(DRIVER), str(work / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


LARGE = {"wide.png": (323, 200), "tall.png": (600, 1400)}


def save_large(folder):
    """Photos of these sizes, and a 5 on gray paper, written small and off the middle."""
    for name, (width, height) in LARGE.items():
        image = synthetic_images(1, (3, 16, 16))[0].permute(1, 2, 0).numpy()
        noise = np.random.default_rng(0).integers(-40, 40, (height, width, 3))
        pixels = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)) + noise
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
    paper = Image.new("L", (300, 260), 190)
    pen = ImageDraw.Draw(paper)
    for stroke in STROKES[5]:
        pen.line([(180 + x, 20 + y) for x, y in stroke], fill=40, width=9, joint="curve")
    paper.save(folder / "paper.png")


# by hand, in 0..100
STROKES = {
    0: [[[50, 12], [32, 24], [25, 48], [32, 76], [50, 88], [68, 76], [75, 48], [68, 24], [50, 12]]],
    1: [[[58, 12], [52, 50], [45, 88]]],
    2: [[[28, 32], [36, 16], [56, 12], [70, 26], [66, 46], [40, 72], [25, 86], [50, 86], [76, 84]]],
    3: [[[28, 18], [50, 12], [68, 22], [66, 40], [46, 48], [68, 56], [74, 74], [54, 88], [28, 82]]],
    4: [[[32, 12], [26, 52], [74, 50]], [[66, 14], [62, 88]]],
    5: [[[36, 14], [33, 46], [56, 44], [72, 60], [62, 82], [30, 86]], [[36, 14], [72, 13]]],
    6: [[[62, 12], [40, 36], [31, 64], [40, 84], [58, 86], [68, 70], [56, 58], [36, 66]]],
    7: [[[24, 18], [52, 17], [76, 16], [60, 50], [46, 88]]],
    8: [[[64, 22], [48, 12], [34, 24], [42, 42], [62, 58], [66, 76], [50, 88], [34, 76], [42, 56], [62, 36], [64, 22]]],
    9: [[[68, 28], [52, 12], [32, 26], [36, 46], [56, 50], [68, 28], [66, 60], [60, 88]]],
}
STROKES = list(STROKES.values())
PHOTO_NETS = [name for name in load_tool("build_demo").NETS if "mnist" not in name]


def enlarged(images):
    """As read_image does it, (N, 3, 64, 64)."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
            paths.append(Path(folder) / f"{index}.png")
            Image.fromarray(image).save(paths[-1])
        return torch.stack([read_image(path, "RGB", (64, 64)) for path in paths])


@torch.inference_mode()
def probabilities(name, images):
    """PyTorch's, of uint8 images."""
    trained = load_trained(name)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (trained.metadata.mean, trained.metadata.std))
    return trained.model.eval()((images.float() / 255 - mean) / std).softmax(1).numpy()


def assert_same(answers, name, images):
    """The classes are PyTorch's, and the bar of the best one is as long; every answer has its time and size."""
    expected = probabilities(name, images)
    assert [answer[name]["class"] for answer in answers] == expected.argmax(1).tolist()
    shown = [float(re.search(r"([\d.]+) %", answer[name]["top"])[1]) for answer in answers]
    assert np.abs(np.array(shown) - 100 * expected.max(1)).max() < 0.1
    assert all(re.search(r"· [\d,]+ kB · [\d.]+ ms$", answer[name]["note"]) for answer in answers)


class TestInTheBrowser:
    pytestmark = IN_BROWSER

    def test_pasted_digits(self, seen, images):
        assert_same(seen["pasted"]["digits"], "simplecnn_mnist", images[0])

    @pytest.mark.parametrize("name", PHOTO_NETS)
    def test_photos_chosen_dropped_and_pasted(self, name, seen, images):
        # the net for 64 pixels sees the same photos enlarged
        shown = images[1] if name != PHOTO_NETS[0] else enlarged(images[1])
        assert_same(seen["pasted"]["photos"], name, shown)

    @pytest.mark.parametrize("how", ["mouse", "examples", "keys"])
    def test_digits_drawn_stroke_by_stroke(self, how, seen):
        """The net sees a digit that is centered like MNIST's, takes it for what it is, and PyTorch agrees."""
        drawn, expected = (seen["drawn"][how], range(10)) if how != "keys" else ([seen["drawn"]["keys"]], [1])
        pixels = torch.tensor([one["pixels"] for one in drawn], dtype=torch.uint8).view(-1, 1, 28, 28)
        assert_same([one["answer"] for one in drawn], "simplecnn_mnist", pixels)
        assert [one["answer"]["simplecnn_mnist"]["class"] for one in drawn] == list(expected)
        for image in pixels[:, 0].double():
            ys, xs = np.nonzero(image.numpy())
            assert max(np.ptp(ys), np.ptp(xs)) + 1 == 20
            middle = (image.sum(1) @ torch.arange(28.0).double(), image.sum(0) @ torch.arange(28.0).double())
            assert all(abs(m / image.sum() - 13.5) <= 0.5 for m in middle)

    def test_photos_are_cut_and_scaled_as_tinynets_reads_them(self, seen, work):
        for name, sizes in zip(LARGE, seen["scaled"]["photos"], strict=True):
            for side, pixels in zip((32, 64), sizes, strict=True):
                expected = read_image(work / name, "RGB", (side, side)).permute(1, 2, 0).int().numpy()
                off = np.abs(np.array(pixels).reshape(side, side, 3) - expected)
                assert off.mean() < 0.1, (name, side)
                assert off.max() <= 1, (name, side)

    def test_a_digit_on_paper_is_found(self, seen):
        assert seen["scaled"]["digit"]["simplecnn_mnist"]["class"] == 5

    def test_a_finger_draws_on_a_phone(self, seen):
        assert seen["phone"]["answer"]["simplecnn_mnist"]["class"] == 1
        assert seen["phone"]["overflow"] <= 0

    def test_nothing_is_left_of_a_cleared_drawing(self, seen):
        assert seen["drawn"]["cleared"] is None

    def test_without_a_server_it_answers_as_before(self, seen, images):
        answer = seen["offline"]["answer"]
        assert answer["simplecnn_mnist"]["class"] == 7
        for name in ("c1c2c3c4o_cifar10", "egrr_cifar100"):
            assert_same([answer], name, images[1][:1])

    def test_it_says_what_is_missing(self, seen):
        said = seen["problems"]
        assert "does not offer WebAssembly" in said["no_wasm"]
        assert "built without the networks" in said["unbuilt"]
        assert said["no_net"] == "simplecnn_mnist.onnx could not be loaded: the server says 404."
        assert said["no_runtime"] == "ort-wasm-simd-threaded.wasm could not be loaded: the server says 404."
        assert "cannot read this file" in said["no_image"]

    def test_no_script_failed(self, seen):
        assert [error for part in seen.values() for error in part.get("errors", [])] == []
