"""Do all ways from a photo to a class agree? Probabilities of the same photos by every way that the library documents.

    python benchmarks/bench_preprocessing.py --data-dir ~/data

The photos are test images of CIFAR-10, enlarged to several sizes and proportions, saved as JPEG, PNG and WebP with all
eight EXIF orientations. The reference is timm's transform of the net's configuration.
"""

import argparse
import contextlib
import io
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import timm.data
import torch
from PIL import Image, ImageOps

import tinynets
from tinynets.deploy import export
from tinynets.engine import Normalize, load_data, load_trained, predict
from tinynets_cli import main as tinynets_main

NAME = "c1c2c3c4o_cifar10"
SIDES = ((32, 32), (40, 33), (333, 500), (500, 333), (240, 1024), (701, 699), (64, 48))


def save_photos(folder: Path, data, count: int) -> list[Path]:
    generator = np.random.default_rng(0)
    paths = []
    for index in range(count):
        kind, turn = ("jpg", "png", "webp")[index % 3], 1 + index % 8
        image = Image.fromarray(data.test_images[index].permute(1, 2, 0).numpy())
        width, height = SIDES[index % len(SIDES)]
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        image = Image.fromarray(
            (np.array(image) + generator.integers(-9, 10, (height, width, 3))).clip(0, 255).astype(np.uint8)
        )
        exif = Image.Exif()
        exif[0x0112] = turn
        path = folder / "test" / data.class_names[data.test_labels[index]] / f"{index:04}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, exif=exif)
        paths.append(path)
    for name in data.class_names:
        (folder / "test" / name).mkdir(exist_ok=True)
    return sorted(paths, key=lambda path: (path.parent.name, path.name))


def by_command(*argv: object) -> dict:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        tinynets_main([str(arg) for arg in argv])
    return json.loads(out.getvalue())


def by_snippet(word: str, paths: list[Path], folder: Path) -> np.ndarray:
    """The logits of a page's own code, run for every photo."""
    text = (Path(__file__).parents[1] / "docs/deploy.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in block)
    rows = []
    for path in paths:
        code = block.replace("photo.jpg", str(path)).replace('"net.', f'"{folder}/net.')
        namespace: dict = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)
        logits = namespace["logits"].reshape(-1).astype(np.float32)
        if "net" in namespace:
            scale, zero_point = namespace["net"].get_output_details()[0]["quantization"]
            logits = scale * (logits - zero_point)
        rows.append(logits)
    return np.stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--photos", type=int, default=500)
    args = parser.parse_args()
    data = load_data("cifar10", args.data_dir)
    trained = load_trained(NAME)
    names = trained.metadata.class_names
    model = tinynets.create_model(NAME, pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = save_photos(folder / "photos", data, args.photos)
        calibration = data.train_images[:256]
        export(NAME, "onnx", folder / "net.onnx")
        export(NAME, "tflite-int8", folder / "net.tflite", calibration=calibration, pixels=True, class_names=names)
        photos = torch.stack([transform(ImageOps.exif_transpose(Image.open(path)).convert("RGB")) for path in paths])
        with torch.no_grad():
            expected = model(photos).softmax(1)
        loaded = load_data(folder / "photos", img_size=(32, 32))  # what evaluate reads
        normalize = Normalize(trained.metadata.mean, trained.metadata.std)
        methods = {"evaluate's images": predict(model, loaded.test_images, normalize).softmax(1)}
        top1 = by_command("evaluate", NAME, "--data", folder / "photos", "--json")["top1"]
        predictions = by_command("predict", NAME, *paths, "--top", 10, "--json")["predictions"]
        probabilities = [{c["class"]: c["probability"] for c in one["classes"]} for one in predictions]
        methods["predict"] = torch.tensor([[one[name] for name in names] for one in probabilities])
        for method, word in (
            ("snippet, ONNX Runtime", "InferenceSession("),
            ("snippet, LiteRT int8", "import Interpreter"),
        ):
            methods[method] = torch.from_numpy(by_snippet(word, paths, folder)).softmax(1)
    own = 100 * (expected.argmax(1) == torch.tensor([names.index(path.parent.name) for path in paths])).float().mean()
    print(f"{len(paths)} photos, top-1 by timm's transform {own:.2f} %, by tinynets evaluate {top1:.2f} %")
    for method, got in methods.items():
        same = 100 * (got.argmax(1) == expected.argmax(1)).float().mean()
        print(
            f"{method:24} same class {same:6.2f} %, largest probability difference {(got - expected).abs().max():.2g}"
        )


if __name__ == "__main__":
    main()
