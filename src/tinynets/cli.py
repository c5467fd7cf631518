"""Programmatic access to the command line, `tinynets.cli.main(["train", ...])`; implemented in `tinynets_cli`."""

from tinynets_cli import main

__all__ = ["main"]
