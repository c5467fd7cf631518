import contextlib
import io
import shutil

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


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        main(["train", "simplecnn_mnist", "--data", "digits", "--epochs", "2", "--val-size", "0.5", "--out", str(out)])
    return out, stdout.getvalue()


@pytest.fixture
def finished(_trained, tmp_path):
    """A short run on the embedded data, a copy of its own, and what the command printed."""
    source, stdout = _trained
    out = shutil.copytree(source, tmp_path / "run")
    return out, stdout.replace(str(source), str(out))


@pytest.fixture
def leave_out_drawing(monkeypatch):
    """Call it before a `plot` that is not about the pictures: drawing takes seconds."""
    return lambda: monkeypatch.setattr("tinynets.report.plots._save", lambda figure, path: None)
