"""Round a finished run's last weights to fp16, which halves the file; vectors (biases, norms) stay fp32.

    python tools/halve_weights.py runs/mote_420k.cifar100 --data-dir ~/data

To be run before tools/ship_weights.py. The test set is evaluated again, and the run's summary gets the figures. A model
that loads the file computes in fp32 as before.
"""

import argparse
import json
from pathlib import Path

from tinynets.engine import Normalize, load_data, load_trained, match_data, predict
from tinynets.engine.evaluation import metrics
from tinynets.weights import read_weights, save_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--data-dir", help="folder that holds the data sets (default: data)")
    args = parser.parse_args()

    path = args.run / "last.safetensors"
    state, metadata = read_weights(path)
    save_weights(path, {name: t.half() if t.dim() > 1 else t for name, t in state.items()}, metadata)

    trained = load_trained(str(path))
    summary = json.loads((args.run / "summary.json").read_text())
    data = match_data(load_data(summary["data"], args.data_dir), trained)
    images, labels = data.split("test")
    after = metrics(predict(trained.model, images, Normalize(data.mean, data.std)), labels)
    for figure in ("top1", "loss"):
        before = summary["last"][f"test_{figure}"]
        summary["last"][f"test_{figure}"] = after[figure]
        print(f"{figure}: {before:.4f} -> {after[figure]:.4f}")
    (args.run / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
