import pytest
import torch

import tinynets
from tinynets.deploy import bench
from tinynets.deploy.benchmark import installed_runtimes
from tinynets.deploy.formats import Format


def test_every_installed_runtime_is_timed():
    model = tinynets.create_model("simplecnn_mnist")
    before = torch.get_num_threads()
    runtimes = [name for name in installed_runtimes() if name != "compiled"]
    rows = bench(model, "net", runtimes=runtimes, batch_sizes=(1, 3), threads=(1,), seconds=0.01)
    assert [(row.runtime, row.batch_size) for row in rows] == [(r, b) for b in (1, 3) for r in runtimes]
    assert all(0 < row.median_ms <= row.p90_ms for row in rows)
    assert all(row.images_per_second == pytest.approx(1000 * row.batch_size / row.median_ms) for row in rows)
    assert {row.runtime for row in rows if row.file_bytes} == set(runtimes) - {"eager", "fused"}
    assert torch.get_num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("batch_sizes", [(1,), (2, 3)])
def test_every_model_is_compiled_and_none_falls_back_to_eager(batch_sizes):
    """Exceeding torch's recompilation limit, which would silently run in eager mode, is an error here."""
    given = {"runtimes": ["compiled"], "batch_sizes": batch_sizes, "threads": (1,), "seconds": 0.01}
    with torch._dynamo.config.patch(recompile_limit=len(batch_sizes), fail_on_recompile_limit_hit=True):
        for width in (0.25, 0.5):
            model = tinynets.create_model("c1c2c3c4o_cifar10", width=width)
            rows = bench(model, **given)
            assert [row.batch_size for row in rows] == list(batch_sizes)


def test_wrong_calls_are_one_line_errors():
    model = tinynets.create_model("simplecnn_mnist")
    with pytest.raises(ValueError, match="unknown runtime 'onxruntime': did you mean onnxruntime"):
        bench(model, runtimes=["onxruntime"])
    with pytest.raises(ValueError, match=r"batch_sizes\[0\] must be an integer of at least 1, got 0"):
        bench(model, batch_sizes=(0,))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no such operation\nand more"), "net cannot be written as onnx: ValueError: no such operation"),
        (OSError("no space left"), "no space left"),
    ],
)
def test_a_runtime_that_cannot_run_the_model_is_left_out(monkeypatch, capsys, caplog, error, message):
    right = Format.write

    def fails(self, source, path, calibration):
        if self.name == "onnx":
            raise error
        right(self, source, path, calibration)

    monkeypatch.setattr(Format, "write", fails)
    monkeypatch.setattr("tinynets.deploy.benchmark.installed_runtimes", lambda: ["fused", "onnxruntime"])
    model = tinynets.create_model("simplecnn_mnist")
    quick = {"batch_sizes": (1,), "threads": (1,), "seconds": 0.01}
    rows = bench(model, "net", **quick)
    assert caplog.messages == [f"onnxruntime is left out: {message}"]
    assert capsys.readouterr() == ("", "")
    assert [row.runtime for row in rows] == ["fused"]
    with pytest.raises((RuntimeError, OSError), match=f"^{message}$"):
        bench(model, "net", runtimes=["onnxruntime"], **quick)
