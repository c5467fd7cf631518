from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from tinynets.engine.any_model import create_any_model
from tinynets.weights import load_into, read_weights, save_weights


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights says about itself: how to build the model again and what it was trained on."""

    model: str
    model_args: dict[str, Any]
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    img_size: tuple[int, ...] | None = None
    results: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, facts: dict[str, Any], source: str) -> "Checkpoint":
        """The facts in a file of weights.

        Raises:
            ValueError: they are not such facts.
        """
        sequences = {name: tuple(facts[name]) for name in ("mean", "std", "class_names", "img_size") if facts.get(name)}
        try:
            return cls(**{**facts, **sequences})
        except TypeError as error:
            raise ValueError(f"{source} does not say which model it holds: it is not a tinynets checkpoint") from error


def save_checkpoint(path: str | Path, model: nn.Module, checkpoint: Checkpoint) -> None:
    """Write the model's tensors and what they are to a safetensors file, atomically."""
    save_weights(path, model.state_dict(), asdict(checkpoint))


def load_checkpoint(path: str | Path) -> tuple[nn.Module, Checkpoint]:
    """Build the model that `save_checkpoint` wrote, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, not ours, or its tensors do not fit the model it names.
    """
    state, facts = read_weights(path)
    checkpoint = Checkpoint.from_dict(facts, str(path))
    model = create_any_model(checkpoint.model, **checkpoint.model_args)
    load_into(model, state, str(path))
    return model.eval(), checkpoint
