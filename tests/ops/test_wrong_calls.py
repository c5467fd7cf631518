"""A wrong call is one line, the same in eager, scripted and compiled form."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from wrong_calls import error_of, in_script, wrong_calls

CALLS = wrong_calls()
DOCS = Path(__file__).parents[2] / "docs" / "ops_errors.md"
scripted = cache(in_script)


@pytest.fixture(params=CALLS, ids=lambda call: f"{call.name}: {call.mistake}")
def call(request):
    return request.param


def test_eager(call):
    error = error_of(call.target, call.args)
    assert isinstance(error, (TypeError, ValueError, IndexError, RuntimeError))
    assert "\n" not in str(error)
    assert f"| {call.name} | {call.mistake} | {type(error).__name__}: {error} |" in DOCS.read_text()


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_scripted(call):
    expected, error = error_of(call.target, call.args), error_of(scripted(call.target), call.args)
    if error is not None and "Expected a value of type" in str(error):
        return  # TorchScript's own type check
    pattern = re.escape(str(expected).replace("got 0.0", "got 0."))
    assert re.search(re.sub(r"torch\\\.\w+", r"\\d+", pattern), str(error))  # a dtype is a number in TorchScript


def test_compiled(call):
    torch.compiler.reset()
    expected = error_of(call.target, call.args)
    error = error_of(torch.compile(call.target, backend="eager"), call.args)
    assert type(error) is type(expected)
    assert str(error).splitlines()[0] == str(expected)


def test_there_are_many():
    assert len(CALLS) >= 80
    assert len({(call.name, call.mistake) for call in CALLS}) == len(CALLS)
