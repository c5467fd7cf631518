from pathlib import Path

from tinynets._checks import unknown
from tinynets.models import full_name
from tinynets.weights import list_weights, read_manifest
from tinynets.weights.manifest import check_file


def artifact(name: str, to: str = "tflite-int8") -> Path:
    """Return the path of a model file for another runtime that is shipped with the package. No extra is required.

    The input of int8 files is int8 (1, H, W, C) with values pixel - 128, their output int8 logits.

    Args:
        name: a model with pretrained weights.
        to: the format.

    Returns:
        The path of the file.

    Raises:
        RuntimeError: the file is missing or damaged.
        ValueError: the model is unknown, or has no file of that format.

    Examples:
        >>> from tinynets.deploy import artifact
        >>> artifact("simplecnn_mnist").name
        'simplecnn_mnist-v3-int8.tflite'
    """
    name = full_name(name) if isinstance(name, str) else name
    if name not in list_weights():
        raise unknown("model with weights", name, list_weights())
    weights = read_manifest()[name]
    files = weights.metadata.get("files", {})
    if to not in files:
        shipped = ", ".join(files) or "none"
        raise ValueError(
            f"{name} ships no {to} file (available: {shipped}): create one with tinynets export {name} --to {to}"
        )
    path = weights.path.with_name(files[to]["file"])
    check_file(path, files[to]["sha256"])
    return path
