import pytest
import torch

from tinynets.engine import Checkpoint
from tinynets.engine.record.state import FORMAT, load_state


def test_states_of_another_format_and_facts_of_another_are_refused(tmp_path):
    torch.save({"tinynets_state": FORMAT + 1}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="was not written by this version"):
        load_state(tmp_path / "state.pt")
    with pytest.raises(ValueError, match="has checkpoint format 3, this tinynets reads 2"):
        Checkpoint.from_dict({"model": "simplecnn_mnist", "format": 3}, "x.safetensors")
