import os
import sys
import warnings

import pytest

from tinynets.deploy.quiet import quiet


def test_output_is_suppressed_and_stderr_restored(capfd):
    with quiet():
        print("from Python")
        print("from Python", file=sys.stderr)
        warnings.warn("from Python", stacklevel=1)
        os.write(2, b"from C\nmore\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")


def test_errors_propagate(capfd):
    with pytest.raises(KeyError), quiet():
        raise KeyError
    os.write(2, b"afterwards\n")
    assert capfd.readouterr() == ("", "afterwards\n")
