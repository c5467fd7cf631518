"""Suppression of the output of converters and runtimes, from Python and from C."""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Suppress warnings and printed output; yield a function that returns the first line printed by C code."""
    if sys.stderr is not None:
        sys.stderr.flush()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    before = os.dup(2)
    os.dup2(writer, 2)

    def first_line() -> str:
        with contextlib.suppress(BlockingIOError):
            return next(iter(os.read(reader, 4096).decode(errors="replace").splitlines()), "")
        return ""

    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield first_line
    finally:
        os.dup2(before, 2)
        for descriptor in (reader, writer, before):
            os.close(descriptor)
