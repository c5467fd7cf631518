"""Arguments, summary and test logits of a finished run, for the tools that change or ship its weights."""

import argparse
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from tinynets.engine import Normalize, Trained, load_data, match_data, predict


def run_arguments(description: str | None) -> argparse.Namespace:
    """Parse RUN and --data-dir."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--data-dir", help="folder that holds the data sets (default: data)")
    return parser.parse_args()


def read_summary(run: Path) -> dict[str, Any]:
    return json.loads((run / "summary.json").read_text())


def write_summary(run: Path, summary: dict[str, Any]) -> None:
    (run / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def logits_of_test(trained: Trained, data_name: str, data_dir: str | None) -> tuple[Tensor, Tensor]:
    """Compute the logits of the test images; return them and the labels."""
    data = match_data(load_data(data_name, data_dir), trained)
    images, labels = data.split("test")
    return predict(trained.model, images, Normalize(data.mean, data.std)), labels
