import sys

import pytest

from tinynets.engine.record import ProgressBar
from tinynets.engine.record.progress import duration


class Screen:
    """A terminal in the place of stderr."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


ROW = {"epoch": 2, "train_loss": 0.5, "train_top1": 81.25, "lr": 0.01, "seconds": 3.0}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (12_600, "3.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_the_bar_of_a_resumed_run_starts_where_it_stopped(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    progress = ProgressBar(steps=10, epochs=20, done=50)
    progress.close()
    assert "| 50/200 [" in screen.text


def test_an_epoch_is_a_line(capsys):
    progress = ProgressBar(steps=10, epochs=20)
    progress.epoch(ROW, 7200)
    progress.epoch({**ROW, "val_top1": 75.0}, 0)
    progress.close()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "epoch  2/20  loss 0.5000  train  81.25 %  lr 0.01  3.0 s  2.0 h left"
    assert second == "epoch  2/20  loss 0.5000  train  81.25 %  val  75.00 %  lr 0.01  3.0 s"
