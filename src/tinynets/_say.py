import sys

from tinynets._text import printable


def say(text: str) -> None:
    """Print a line on stderr, if there is one. A windowed program has none."""
    if sys.stderr is not None:
        sys.stderr.write(f"{printable(text)}\n")
