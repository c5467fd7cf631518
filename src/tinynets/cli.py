"""The command line for Python programs: `tinynets.cli.main(["train", ...])`. Its home is `tinynets_cli`."""

from tinynets_cli import main

__all__ = ["main"]
