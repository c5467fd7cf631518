from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tinynets._guest import plain_defaults
from tinynets.engine.any_model import create_any_model
from tinynets.weights import load_into, read_weights, save_weights

FORMAT = 2  # 1 said neither where the data were nor their digest, and had no number


@dataclass(frozen=True)
class Checkpoint:
    """What a file of weights says about itself: how to build the model again and what it was trained on.

    model, model_args: name and arguments of `create_model`; the class's name for a module of the user's own.
    data: the data set's name; data_source: what `load_data` needs to find it again, with an absolute path;
    data_sha256: its `ImageData.digest`.
    mean, std, class_names, img_size: of the images it takes, per channel, in the order of its logits, (H, W). No class
    names and no img_size where nobody knows them.
    started_from: the weights that training started from, by name or file; None from scratch.
    own_module: the model was a module given to `train`, which has to be given again.
    format: version of these facts.
    """

    model: str
    model_args: dict[str, Any]
    data: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    img_size: tuple[int, ...] | None = None
    results: dict[str, Any] = field(default_factory=dict)
    data_source: dict[str, Any] | None = None
    data_sha256: str | None = None
    started_from: str | None = None
    own_module: bool = False
    format: int = FORMAT

    @classmethod
    def from_dict(cls, facts: dict[str, Any], source: str) -> "Checkpoint":
        """The facts in a file of weights, of this or an older format.

        Raises:
            ValueError: they are not such facts, or of a newer format.
        """
        version = facts.get("format", 1)
        if not isinstance(version, int) or version > FORMAT:
            raise ValueError(
                f"{source} has checkpoint format {version}, this tinynets reads up to {FORMAT}: upgrade tinynets"
            )
        sequences = {name: tuple(facts[name]) for name in ("mean", "std", "class_names", "img_size") if facts.get(name)}
        try:
            return cls(**{"class_names": (), **facts, **sequences, "format": version})
        except TypeError as error:
            raise ValueError(f"{source} does not say which model it holds: it is not a tinynets checkpoint") from error


def save_checkpoint(path: str | Path, model: nn.Module, checkpoint: Checkpoint) -> None:
    """Write the model's tensors and what they are to a safetensors file, atomically."""
    save_weights(path, model.state_dict(), asdict(replace(checkpoint, format=FORMAT)))


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], Checkpoint]:
    """The tensors that `save_checkpoint` wrote, without a model around them, and what they are."""
    state, facts = read_weights(path)
    return state, Checkpoint.from_dict(facts, str(path))


def load_checkpoint(path: str | Path, model: nn.Module | None = None) -> tuple[nn.Module, Checkpoint]:
    """Build the model that `save_checkpoint` wrote, in evaluation mode.

    Args:
        path: the file.
        model: load the tensors into this module instead of building one; a module of the user's own that was given to
            `train` has to be given here.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, not ours, of a newer format, its tensors do not fit the model it names, or it
            needs a module and none is given.
    """
    state, checkpoint = read_checkpoint(path)
    if model is None:
        if checkpoint.own_module:
            raise ValueError(
                f"{path} holds the weights of a module of your own, {checkpoint.model}: build it again in Python and "
                "give it to load_checkpoint(path, model=...)"
            )
        with plain_defaults():
            model = create_any_model(checkpoint.model, **checkpoint.model_args)
        assert model is not None
    load_into(model, state, str(path))
    return model.eval(), checkpoint
