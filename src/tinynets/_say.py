import sys


def say(text: str) -> None:
    """One line on stderr for whoever reads along; nothing where there is no stderr, as in a windowed program."""
    if sys.stderr is not None:
        sys.stderr.write(f"{text}\n")
