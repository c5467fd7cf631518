"""Make the int8 files that ship in the wheel, and write their figures into the manifest.

    python tools/ship_int8.py --data-dir ~/data
    python tools/ship_int8.py c1c2c3c4o_cifar10 --data-dir ~/data

The ranges of the integers come from 256 training images. The accuracies in the manifest, in LiteRT and in TensorFlow
Lite Micro, are those of the whole test set. The two round differently, so with many classes they may disagree about an
image that the net is unsure of (6 % of the photos of mote_s2_450k) and yet be equally accurate.
"""

import argparse
import hashlib
import json

import numpy as np

from tinynets._files import write_file
from tinynets.deploy import export
from tinynets.deploy.images import calibration_images
from tinynets.deploy.microcontroller import arena_bytes, load_micro
from tinynets.engine import load_data, load_trained, match_data
from tinynets.weights import read_manifest
from tinynets.weights.manifest import ARTIFACTS, MANIFEST

FORMAT = "tflite-int8"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help="default: all models with weights")
    parser.add_argument("--data-dir", help="folder that holds the data sets (default: data)")
    args = parser.parse_args()
    for name in args.names or sorted(read_manifest()):
        ship(name, args.data_dir)


def ship(name: str, data_dir: str | None) -> None:
    weights = read_manifest()[name]
    trained = load_trained(name)
    data = match_data(load_data(weights.metadata["data"], data_dir), trained)
    path = ARTIFACTS / f"{name}-{weights.tag}-int8.tflite"
    result = export(
        name,
        FORMAT,
        path,
        images=data.test_images,
        labels=data.test_labels,
        calibration=calibration_images(data.train_images),
        pixels=True,
    )
    content = path.read_bytes()
    arena = arena_bytes(content)
    classes = load_micro(content, arena)(data.test_images.permute(0, 2, 3, 1).numpy()).argmax(1)
    figures = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "top1": round(result.file_top1 or 0.0, 2),
        "agreement": round(result.agreement, 2),
        "arena_bytes": arena,
        "micro_top1": round(100 * float(np.mean(classes == data.test_labels.numpy())), 2),
    }
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    entries[name]["class_names"] = list(trained.metadata.class_names)
    entries[name].setdefault("files", {})[FORMAT] = figures
    write_file(MANIFEST, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: {len(content):,} bytes, {figures}")


if __name__ == "__main__":
    main()
