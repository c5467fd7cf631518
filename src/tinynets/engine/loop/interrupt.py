import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Whether Ctrl-C or SIGTERM requested the run to stop."""

    requested = False


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Let Ctrl-C and SIGTERM set a flag, so that the current step completes and is saved; a second Ctrl-C interrupts.

    Signals within two seconds count as one, since torchrun repeats those that the terminal already sent.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # only the main thread may handle signals
        return

    requested_at = 0.0

    def handle(number: int, frame: object) -> None:
        nonlocal requested_at
        if interrupt.requested and number == signal.SIGINT and time.monotonic() - requested_at > 2:
            raise KeyboardInterrupt
        if not interrupt.requested:
            interrupt.requested, requested_at = True, time.monotonic()

    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {n: signal.getsignal(n) for n in signals}
    # skip signals that are ignored or handled outside Python, because these handlers could not be restored
    previous = {n: handler for n, handler in previous.items() if handler not in (None, signal.SIG_IGN)}
    for number in previous:
        signal.signal(number, handle)
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
