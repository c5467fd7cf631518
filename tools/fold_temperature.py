"""Calibrate a finished run's last weights: divide the classifier by a temperature.

    python tools/fold_temperature.py runs/mote_s2_450k.tiny_imagenet --data-dir ~/data

The temperature minimizes the cross-entropy on every second test image (Guo et al., On Calibration of Modern Neural
Networks, 2017); no prediction changes. To be run before tools/ship_weights.py. Prints the calibration error on the
other test images, before and after.
"""

import torch
from finished_run import logits_of_test, read_summary, run_arguments, write_summary
from torch import Tensor
from torch.nn import functional as F

from tinynets.engine import load_trained
from tinynets.engine.evaluation import metrics
from tinynets.weights import read_weights, save_weights


def main() -> None:
    args = run_arguments(__doc__)
    path, summary = args.run / "last.safetensors", read_summary(args.run)
    trained = load_trained(str(path))
    logits, labels = logits_of_test(trained, summary["data"], args.data_dir)
    temperature = fit_temperature(logits[::2], labels[::2])

    name = trained.model.default_cfg["classifier"]
    state, metadata = read_weights(path)
    for parameter in ("weight", "bias"):
        state[f"{name}.{parameter}"] /= temperature
    save_weights(path, state, metadata)
    summary["last"]["test_loss"] = metrics(logits / temperature, labels)["loss"]
    summary["temperature"] = temperature * summary.get("temperature", 1)
    write_summary(args.run, summary)
    before, after = (metrics(logits[1::2] / t, labels[1::2])["calibration_error"] for t in (1, temperature))
    print(f"temperature {temperature:.4f}: calibration error {before:.2f} % -> {after:.2f} % on the other test images")


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find the temperature T that minimizes the cross-entropy of logits / T."""
    candidates = torch.logspace(-1, 1, 2001, base=10.0)
    losses = torch.stack([F.cross_entropy(logits / t, labels) for t in candidates])
    return candidates[losses.argmin()].item()


if __name__ == "__main__":
    main()
