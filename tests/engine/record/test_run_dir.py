import json

import pytest
import torch

from tinynets.engine import Checkpoint
from tinynets.engine.record import RunDir
from tinynets.engine.record.state import FORMAT, load_state


def test_an_event_after_a_truncated_line_starts_a_new_line(tmp_path):
    run = RunDir(tmp_path)
    run.add_event({"event": "start"})
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('{"event": "ep')  # the process was killed here
    run.add_event({"event": "resume"})
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(lines[index])["event"] for index in (0, 2)] == ["start", "resume"]
    assert len(lines) == 3


def test_states_and_metadata_of_another_format_are_refused(tmp_path):
    torch.save({"tinynets_state": FORMAT + 1}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="was not written by this version"):
        load_state(tmp_path / "state.pt")
    with pytest.raises(ValueError, match="has checkpoint format 3, this version reads 2"):
        Checkpoint.from_dict({"model": "simplecnn_mnist", "format": 3}, "x.safetensors")
