from dataclasses import replace

import pytest

from tinynets.deploy import FORMATS
from tinynets.deploy.firmware.compiler import build, find_compiler
from tinynets.deploy.firmware.net import identifier


def test_cc_selects_the_compiler(monkeypatch):
    monkeypatch.setenv("CC", "ccache my-cc")
    assert find_compiler() == ["ccache", "my-cc"]


def test_no_compiler_is_a_one_line_error(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None
    kind = replace(FORMATS["c-fp32"], packages=(), torch="2.7")
    with pytest.raises(ImportError, match="c-fp32 needs a C compiler to test the code: install gcc or clang"):
        kind.require()
    assert not kind.installed()


def test_a_compile_error_is_one_line(tmp_path):
    if find_compiler() is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "bad.c").write_text("int main(void) { return nothing; }\n")
    with pytest.raises(RuntimeError, match=r"cannot compile the C code: .*nothing"):
        build([tmp_path / "bad.c"], tmp_path / "bad", find_compiler())
    with pytest.raises(RuntimeError, match="the C compiler no-such-cc cannot be run"):
        build([tmp_path / "bad.c"], tmp_path / "bad", ["no-such-cc"])


def test_names_become_identifiers():
    assert identifier("mote_100k.cifar10") == "mote_100k_cifar10"
    assert identifier("3 Nets é") == "net_3_nets__"
