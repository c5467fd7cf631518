"""Put the networks and onnxruntime-web into the site's live demo, docs/demo/files. Nothing there is committed.

    python tools/build_demo.py

onnxruntime-web comes from the folder $ONNXRUNTIME_WEB (the package's `dist`). Without that variable npm installs the
version in tools/package.json. The networks are exported to ONNX, and every file is compared with PyTorch.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tinynets.deploy import export
from tinynets.engine import load_trained
from tinynets.weights import read_manifest

HERE = Path(__file__).parent
FILES = HERE.parent / "docs/demo/files"
NETS = (
    "simplecnn_mnist",
    "mote_s2_450k.tiny_imagenet",
    "mote_100k.cifar10",
    "c1c2c3c4o_cifar10",
    "optimized200k_cifar10",
    "ecnet_cifar10",
    "mote_420k.cifar100",
    "egrr_cifar100",
)
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


class NotFound(Exception):
    """A package is not here and cannot be installed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FILES, help=f"default: {FILES}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            runtime = onnxruntime_web(Path(folder))
        except NotFound as error:
            parser.exit(1, f"{error}\n")
        build(args.out, runtime)


def onnxruntime_web(folder: Path) -> Path:
    """The `dist` folder of onnxruntime-web: $ONNXRUNTIME_WEB, or installed into folder. Raises NotFound."""
    if "ONNXRUNTIME_WEB" in os.environ:
        return Path(os.environ["ONNXRUNTIME_WEB"])
    return npm_install(folder, "--omit=dev") / "onnxruntime-web/dist"


def npm_install(folder: Path, *options: str) -> Path:
    """Install the packages of tools/package.json into folder: its `node_modules`. Raises NotFound."""
    if shutil.which("npm") is None:
        raise NotFound("the demo needs onnxruntime-web: install npm, or name its dist folder in ONNXRUNTIME_WEB")
    shutil.copy(HERE / "package.json", folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *options]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise NotFound("npm does not answer") from None
    if done.returncode:
        raise NotFound(f"npm cannot install the demo's packages: {done.stderr[-200:]}")
    return folder / "node_modules"


def build(out: Path, runtime: Path) -> None:
    """Write the networks, the runtime, and files.json, which tells the page what there is."""
    out.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME:
        shutil.copy(runtime / name, out)
    nets = [write_net(name, out) for name in NETS]
    files = [*RUNTIME, *(net["file"] for net in nets)]
    (out / "files.json").write_text(json.dumps({"files": files, "nets": nets}), encoding="utf-8")


def write_net(name: str, out: Path) -> dict:
    """Export one net; what the page has to know about it."""
    trained = load_trained(name)
    done = export(name, "onnx", out / f"{name}.onnx", pixels=True)
    print(f"{done.path}: {done.bytes:,} bytes, PyTorch's class for {done.agreement:.0f} % of {done.images} images")
    channels, height, width = trained.model.pretrained_cfg["input_size"]
    return {
        "name": name,
        "data": read_manifest()[name].metadata["data"],
        "file": done.path.name,
        "bytes": done.bytes,
        "input": [height, width, channels],
        "classes": list(trained.metadata.class_names),
    }


if __name__ == "__main__":
    main()
