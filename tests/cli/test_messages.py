"""What the library logs: one line on stderr on the command line, warnings alone in a Python program."""

import logging
import sys

import pytest

import tinynets
import tinynets_cli


@pytest.fixture
def spoken(run, monkeypatch):
    """What `tinynets list` prints on stderr, if it logs these messages as a module of the library would."""

    def call(**messages):
        def speak(args):
            for level, text in messages.items():
                getattr(logging.getLogger("tinynets.engine"), level)(text)

        monkeypatch.setattr("tinynets_cli.list_models.run", speak)
        return run("list")[2]

    return call


def test_a_message_is_a_printable_line(spoken):
    assert spoken(info="epoch 1", warning="bad\n\x1b[2Jname") == "epoch 1\ntinynets: bad\\n\\x1b[2Jname\n"


def test_only_rank_zero_logs(spoken, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert spoken(info="epoch 1", warning="bad") == ""


def test_without_stderr(spoken, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert spoken(warning="bad") == ""
    with pytest.raises(SystemExit):
        tinynets_cli.main(["info", "nothing"])
    assert capsys.readouterr().out == ""


def test_logging_state_is_restored(spoken):
    logger = logging.getLogger("tinynets")
    spoken(info="epoch 1")
    assert (logger.handlers, logger.level, logger.propagate) == ([], logging.NOTSET, True)


def test_a_python_program_sees_only_warnings(tmp_path, monkeypatch, capfd):
    (tmp_path / "digits" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's; a program has none
    tinynets.engine.load_data("digits")
    model = tinynets.create_model("simplecnn_mnist")
    tinynets.deploy.bench(model, runtimes=["eager"], batch_sizes=[1], threads=[1], seconds=0.01)
    assert capfd.readouterr() == ("", "digits refers to the built-in data set; for the folder use ./digits\n")
