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
    """One file of trained weights.

    Attributes:
        tag: version of the weights, such as "v1".
        path: the file inside the package.
        sha256: checksum of the file.
        metadata: the manifest's entry, such as accuracy, recipe, seed and log.

    Examples:
        >>> from tinynets.weights import find_weights
        >>> find_weights("simplecnn_mnist").tag
        'v3'
    """

    tag: str
    path: Path
    sha256: str
    metadata: dict[str, Any]


@cache
def read_manifest() -> dict[str, Weights]:
    """Read the manifest of the package.

    Returns:
        All files of trained weights, by model name.

    Examples:
        >>> from tinynets.weights import read_manifest
        >>> "simplecnn_mnist" in read_manifest()
        True
    """
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return {
        name: Weights(entry["tag"], ARTIFACTS / entry["file"], entry["sha256"], entry)
        for name, entry in entries.items()
    }


def list_weights() -> list[str]:
    """List the names of the models with weights in the package, sorted.

    Returns:
        The names.

    Examples:
        >>> from tinynets.weights import list_weights
        >>> "resnet18" in list_weights()
        False
    """
    return sorted(read_manifest())


def find_weights(name: str) -> Weights | None:
    """Find the weights of a model.

    Args:
        name: name of a model, without a tag.

    Returns:
        Its weights, None if the package has none.

    Examples:
        >>> from tinynets.weights import find_weights
        >>> find_weights("resnet18") is None
        True
    """
    return read_manifest().get(name)


def check_weights(name: str) -> None:
    """Check that a model has weights, and that their file matches the manifest.

    Args:
        name: name of a model, without a tag.

    Raises:
        ValueError: the model has no weights in the package.
        RuntimeError: the file is missing, or its checksum differs.

    Examples:
        >>> from tinynets.weights import check_weights
        >>> check_weights("simplecnn_mnist")
    """
    weights = find_weights(name)
    if weights is None:
        available = ", ".join(list_weights()) or "none yet"
        raise ValueError(
            f"{name} ships no pretrained weights (models that do: {available}): "
            f"train it (tinynets train {name}) and pass its run, or create it with pretrained=False or with "
            "pretrained_cfg_overlay={'file': ...}"
        )
    check_file(weights.path, weights.sha256)


def check_file(path: Path, sha256: str) -> None:
    """Raise RuntimeError unless a file of the package has the checksum of the manifest."""
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise RuntimeError(f"{path} is missing or damaged: reinstall tinynets")
