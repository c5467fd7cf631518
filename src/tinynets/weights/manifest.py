import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ARTIFACTS = Path(__file__).with_name("artifacts")
MANIFEST = ARTIFACTS / "manifest.json"


@dataclass(frozen=True)
class Weights:
    """One file of trained weights: its tag, path, sha256 and the manifest's facts (accuracy, recipe, seed, ...)."""

    tag: str
    path: Path
    sha256: str
    facts: dict[str, Any]


@cache
def read_manifest() -> dict[str, Weights]:
    """Every shipped file of weights, by model name."""
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return {
        name: Weights(entry["tag"], ARTIFACTS / entry["file"], entry["sha256"], entry)
        for name, entry in entries.items()
    }


def list_weights() -> list[str]:
    """Names of the models that ship weights, sorted."""
    return sorted(read_manifest())


def find_weights(name: str) -> Weights | None:
    """The weights of a model, None if it ships none."""
    return read_manifest().get(name)


def check_weights(name: str) -> None:
    """Raise unless the model ships weights and their file is the one the manifest describes.

    Raises:
        ValueError: the model ships no weights.
        RuntimeError: the file is missing or its sha256 is another.
    """
    weights = find_weights(name)
    if weights is None:
        available = ", ".join(list_weights()) or "none yet"
        raise ValueError(
            f"{name} ships no pretrained weights (models that do: {available}): "
            "use pretrained=False and train it, or pass pretrained_cfg_overlay={'file': ...}"
        )
    if not weights.path.is_file():
        raise RuntimeError(f"weights file {weights.path} is missing: reinstall tinynets")
    if hashlib.sha256(weights.path.read_bytes()).hexdigest() != weights.sha256:
        raise RuntimeError(
            f"weights file {weights.path} is damaged (its sha256 is not the manifest's): reinstall tinynets"
        )
