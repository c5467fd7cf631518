import json

import pytest
import torch
from safetensors.torch import save_file

import tinynets
from tinynets.engine import Checkpoint, load_checkpoint, save_checkpoint

FACTS = {
    "model": "c1c2c3c4o_cifar10",
    "model_args": {"num_classes": 3, "width": 0.25},
    "data": "stripes",
    "mean": (0.1,),
    "std": (0.2,),
    "class_names": ("a", "b", "c"),
}


@pytest.fixture
def saved(tmp_path):
    model = tinynets.create_model(FACTS["model"], **FACTS["model_args"])
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model.to(memory_format=torch.channels_last), Checkpoint(**FACTS, results={"epoch": 3}))
    return path, model


def test_round_trip(saved):
    path, model = saved
    again, checkpoint = load_checkpoint(path)
    assert checkpoint == Checkpoint(**FACTS, results={"epoch": 3})
    assert not again.training
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(x), model.eval()(x))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_damaged_files_are_one_line_errors(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a readable safetensors file") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no weights file at"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="was not written by tinynets"):
        load_checkpoint(path)
    save_file({"weight": torch.zeros(2)}, path, metadata={"tinynets": json.dumps({"epoch": 1})})
    with pytest.raises(ValueError, match="not a tinynets checkpoint"):
        load_checkpoint(path)


def test_pickles_are_never_executed(tmp_path):
    path = tmp_path / "evil.safetensors"

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save(Evil(), path)
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_checkpoint(path)
    assert not (tmp_path / "owned").exists()


def test_tensors_of_another_architecture_are_refused(tmp_path):
    other = tinynets.create_model("optimized200k_cifar10", num_classes=3)
    save_checkpoint(tmp_path / "a.safetensors", other, Checkpoint(**FACTS))
    with pytest.raises(ValueError, match="is of another architecture than C1C2C3C4O") as caught:
        load_checkpoint(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)
    wide = tinynets.create_model(FACTS["model"], num_classes=3)
    save_checkpoint(tmp_path / "b.safetensors", wide, Checkpoint(**FACTS))
    with pytest.raises(ValueError, match=r"stem\.conv\.weight has shape \(24, 3, 3, 3\), expected \(6, 3, 3, 3\)"):
        load_checkpoint(tmp_path / "b.safetensors")
