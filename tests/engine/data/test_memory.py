import os
import sys

import pytest

from tinynets.engine.data import memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_machines_free_memory_is_in_bytes():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0.001 * total < memory.available_memory() <= total


@pytest.mark.parametrize(("count", "text"), [(512_000_000, "512 MB"), (999_000_000, "999 MB"), (72e9, "72.0 GB")])
def test_sizes_as_text(count, text):
    assert memory.size_text(count) == text


def test_what_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2_000_000)
    memory.check_memory(2_000_000, "it", "take less")
    with pytest.raises(ValueError, match="it would take 3 MB of memory, but only 2 MB are available: take less"):
        memory.check_memory(3_000_000, "it", "take less")
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.check_memory(3_000_000, "it", "take less")
