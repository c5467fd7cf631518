"""Write what `tinynets list` prints: the models with their figures, and the layers. The command imports no torch.

python tools/list_models.py
"""

import json
from pathlib import Path
from typing import Any

import tinynets
import tinynets_cli
from tinynets.models import full_name
from tinynets.weights import find_weights

INDEX = Path(tinynets_cli.__file__).with_name("models.json")


def main() -> None:
    INDEX.write_text(index(), encoding="utf-8")


def index() -> str:
    """What the file holds."""
    models = [_describe(name) for name in tinynets.list_models()]
    return json.dumps({"models": models, "layers": tinynets.list_layers()}, indent=1) + "\n"


def _describe(name: str) -> dict[str, Any]:
    model: Any = tinynets.create_model(name, device="meta")
    weights = find_weights(full_name(name))
    return {
        "model": full_name(name),
        "params": tinynets.count_parameters(model),
        "input_size": list(model.pretrained_cfg["input_size"]),
        "num_classes": model.num_classes,
        "weights": weights.tag if weights else None,
        "top1": weights.metadata["top1"] if weights else None,
    }


if __name__ == "__main__":
    main()
