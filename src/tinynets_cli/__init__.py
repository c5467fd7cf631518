"""The command line: `tinynets COMMAND`. Each command is one module.

A package of its own, because whatever imports a module of `tinynets` imports torch and timm too, which takes seconds.
Here functions import `tinynets` when they need it: help, version, usage errors and `list` do not.
"""

import argparse
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from . import augment_preview, bench, evaluate, export, info, list_models, plot, predict, recipe, train


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command. An error prints one line on stderr and exits with code 1, a wrong call with code 2."""
    argv = sys.argv[1:] if argv is None else argv
    with _any_text_prints(), _rank_zero_logging():
        if not argv:
            build_parser().print_help(sys.stderr)
            raise SystemExit(2)
        _run(build_parser().parse_args(argv))


def _run(args: argparse.Namespace) -> None:
    try:
        args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(1) from None
    except KeyboardInterrupt as error:
        if args.debug:
            raise
        _fail("interrupted" + (f": {_printable(error)}" if str(error) else ""), 130)
    except Exception as error:
        if args.debug:
            raise
        text = " ".join(str(error).split())
        if not text or not isinstance(error, OSError | ValueError | TypeError | RuntimeError | ArithmeticError):
            text = f"{type(error).__name__}: {text} (--debug shows where)"
        _fail(_printable(text), 1)


@contextmanager
def _any_text_prints() -> Iterator[None]:
    """Inside, characters that the console's encoding lacks are printed as escapes instead of raising an error."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            stream.reconfigure(errors=errors)


@contextmanager
def _rank_zero_logging() -> Iterator[None]:
    """Inside, what the library logs goes to stderr, from one process of a run only."""
    logger, handler = logging.getLogger("tinynets"), _Stderr()
    before = logger.level
    logger.setLevel(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.CRITICAL)  # torchrun sets RANK
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = True


class _Stderr(logging.Handler):
    """Each record as one line, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        if sys.stderr is not None:  # None in windowed programs
            start = "tinynets: " if record.levelno >= logging.WARNING else ""
            tqdm.write(start + _printable(record.getMessage()), file=sys.stderr)


def _printable(text: object) -> str:
    from tinynets._text import printable

    return printable(text)


def _fail(message: str, code: int) -> NoReturn:
    if sys.stderr is not None:
        sys.stderr.write(f"tinynets: error: {message}\n")
    raise SystemExit(code)


class _Version(argparse.Action):
    """Like argparse's own, but finds the version when it is asked for: that takes longer than all else."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from importlib.metadata import version

        print(f"tinynets {version('tinynets')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinynets", description="Compact image classifiers: list, inspect, train, evaluate, export, plot."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (list_models, info, recipe, train, evaluate, predict, export, bench, plot, augment_preview):
        command.add_command(commands)
    return parser
