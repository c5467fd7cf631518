import json

from tinynets.deploy import Timing
from tinynets_cli.bench import table

QUICK = ("--runtimes", "eager,fused", "--batch-sizes", "1,2", "--threads", "1", "--seconds", "0.01")


def test_table(run):
    code, stdout, stderr = run("bench", "simplecnn_mnist", *QUICK)
    assert code == 0, stderr
    assert "timing simplecnn_mnist in eager, fused" in stderr  # logged because it can take minutes
    header, _, *rows = (line.split() for line in stdout.splitlines())
    assert header[:4] == ["model", "runtime", "batch", "threads"]
    assert [row[1:3] for row in rows] == [["eager", "1"], ["fused", "1"], ["eager", "2"], ["fused", "2"]]


def test_speed_is_relative_to_fused_pytorch_at_the_same_batch_and_threads():
    rows = [
        Timing("net", runtime, batch, 1, ms * batch, ms * batch, 1000 / ms, None)
        for runtime, ms in (("eager", 4.0), ("fused", 2.0), ("onnxruntime", 0.5))
        for batch in (1, 8)
    ]
    header, _, *lines = table(rows).splitlines()
    speeds = [line.split()[header.replace("p90 ms", "p90").split().index("speed")] for line in lines]
    assert speeds == ["0.50", "0.50", "1.00", "1.00", "4.00", "4.00"]
    assert table(rows[:1]).splitlines()[2].split()[-1] == "250"  # the relative speed needs the fused runtime


def test_models_without_weights_and_of_timm(run):
    code, stdout, stderr = run("bench", "test_efficientnet", *QUICK, "--img-size", 32, "--json")
    assert code == 0, stderr
    assert {row["model"] for row in json.loads(stdout)["timings"]} == {"test_efficientnet"}


def test_wrong_calls_are_one_line_errors(run):
    for arguments, message in (
        (["--runtimes", "onxruntime"], "unknown runtime 'onxruntime'"),
        (["--batch-sizes", "one"], "--batch-sizes expects integers separated by commas"),
    ):
        code, _, stderr = run("bench", "simplecnn_mnist", *arguments)
        assert code == 1
        assert message in stderr
        assert len(stderr.strip().splitlines()) == 1
