"""Put a finished run's last weights into the package and describe them in the manifest.

    python tools/ship_weights.py runs/c1 --tag v1 --command "tinynets train c1c2c3c4o_cifar10 --val-size 0"

The last epoch is shipped, never the best one on some split, so the figure of the test set is honest. Several runs may
be given, of one recipe with different seeds. The first run's weights are shipped, even if another seed did better. The
manifest gets the figures of all. The weights that the model had before are removed, and the int8 files made of them:
tools/ship_int8.py makes new ones.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from finished_run import read_summary

from tinynets.engine import read_metrics
from tinynets.models import full_name
from tinynets.weights import read_weights, save_weights

ARTIFACTS = Path(__file__).parents[1] / "src/tinynets/weights/artifacts"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("others", type=Path, metavar="OTHER_SEED", nargs="*")
    parser.add_argument("--tag", required=True, help="version of these weights, such as v1")
    parser.add_argument("--command", required=True, help="what reproduces the run")
    args = parser.parse_args()

    summary = read_summary(args.run)
    name = full_name(summary["model"])
    seeds = {summary["seed"]: summary["last"]["test_top1"]}
    for other in map(read_summary, args.others):
        if other["recipe"] | {"seed": summary["seed"]} != summary["recipe"] or full_name(other["model"]) != name:
            raise SystemExit("the runs must differ in nothing but the seed")
        seeds[other["seed"]] = other["last"]["test_top1"]
    path = ARTIFACTS / f"{name}-{args.tag}.safetensors"
    state, metadata = read_weights(args.run / "last.safetensors")
    save_weights(path, state, {**metadata, "model": name, "data_source": None})  # a path of this machine

    manifest_path = ARTIFACTS / "manifest.json"
    manifest = json.loads(manifest_path.read_text())
    before = manifest.get(name, {})
    manifest[name] = {
        "tag": args.tag,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "data": summary["data"],
        "params": summary["params"],
        "top1": summary["last"]["test_top1"],
        "loss": summary["last"]["test_loss"],
        **{key: summary[key] for key in ("temperature", "started_from") if summary.get(key)},
        "seed": summary["seed"],
        "seeds": seeds,
        "command": args.command,
        "train_seconds": summary["train_seconds"],
        "versions": summary["versions"],
        "device": summary["device"],
        "threads": summary["threads"],
        "recipe": summary["recipe"],
        "log": read_metrics(args.run),
    }
    manifest_path.write_text(json.dumps(dict(sorted(manifest.items())), indent=1) + "\n")
    _remove(before, path.name)
    print(f"{path} ({path.stat().st_size:,} bytes): {summary['last']['test_top1']:.2f} % top-1")


def _remove(before: dict[str, Any], kept: str) -> None:
    """Remove the files of the weights before, those that were converted from them too."""
    converted = [file["file"] for file in before.get("files", {}).values()]
    for name in {before.get("file", kept), *converted} - {kept}:
        (ARTIFACTS / name).unlink()


if __name__ == "__main__":
    main()
