import signal
from types import SimpleNamespace

import pytest

from tinynets.engine.loop import interrupt
from tinynets.engine.loop.interrupt import interruptible


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    """A program in the background of a shell ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_stops_at_once_but_not_a_repeated_one(monkeypatch):
    now = 100.0
    monkeypatch.setattr(interrupt, "time", SimpleNamespace(monotonic=lambda: now))
    with interruptible() as interrupt_flag:
        assert not interrupt_flag.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupt_flag.requested
        now += 1.5
        signal.raise_signal(signal.SIGINT)  # torchrun sends the signal again
        now += 1
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_sigterm_requests_a_stop():
    with interruptible() as interrupt_flag:
        signal.raise_signal(signal.SIGTERM)
    assert interrupt_flag.requested
