"""Commands that need no model import neither torch nor timm."""

import subprocess
import sys

import pytest

from tinynets_cli import bench, export

PROGRAM = """
import sys, tinynets_cli
try:
    tinynets_cli.main(sys.argv[1:])
finally:
    print(*sorted({"tinynets", "torch", "timm", "numpy"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["--help"], 0, "train a model"),
        (["train", "--help"], 0, "--val-size"),
        (["--version"], 0, "tinynets "),
        (["list", "--json"], 0, '"egrr_cifar100"'),
        ([], 2, "train a model"),
        (["trian"], 2, "invalid choice: 'trian'"),
        (["train", "simplecnn_mnist", "--epoch-count", "3"], 2, "unrecognized arguments: --epoch-count 3"),
        (["train", "simplecnn_mnist", "--img-size", "large"], 2, "argument --img-size"),
        (
            ["info", "--model-kwargs", "width=2", "simplecnn_mnist"],
            2,
            "must be NAME=VALUE, such as width=0.5, got 'simplecnn_mnist'",
        ),
    ],
)
def test_nothing_heavy_is_imported(argv, code, text):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *argv], capture_output=True, text=True)
    assert done.returncode == code
    *said, imported = (done.stdout + done.stderr).splitlines()
    assert text in "\n".join(said)
    assert imported == ""


def test_the_help_names_all_formats_and_runtimes():
    from tinynets.deploy import FORMATS, RUNTIMES

    assert export.FORMATS.split(", ") == list(FORMATS)
    assert bench.RUNTIMES.split(", ") == list(RUNTIMES)
