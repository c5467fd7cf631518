import os
import sys
import warnings

import pytest

from tinynets.deploy.quiet import quiet


def test_output_is_suppressed_and_stderr_restored(capfd):
    with quiet() as first_line:
        assert first_line() == ""
        print("from Python")
        print("from Python", file=sys.stderr)
        warnings.warn("from Python", stacklevel=1)
        os.write(2, b"from C\nmore\n")
        assert first_line() == "from C"
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")


def test_errors_propagate(capfd):
    with pytest.raises(KeyError), quiet():
        raise KeyError
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")


def test_much_output_does_not_block():
    with quiet():
        for _ in range(100):
            try:
                os.write(2, b"x" * 4096)
            except BlockingIOError:
                break
