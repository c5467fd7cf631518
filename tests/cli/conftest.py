import pytest

from tinynets_cli import main


@pytest.fixture
def run(capsys):
    """Run a command in this process; gives (exit code, stdout, stderr)."""

    def call(*argv):
        code = 0
        try:
            main([str(arg) for arg in argv])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def finished(run, tmp_path):
    """A short run on the embedded data."""
    out = tmp_path / "run"
    code, stdout, _ = run("train", "simplecnn_mnist", "--data", "digits", "--epochs", 2, "--out", out)
    assert code == 0
    return out, stdout
