"""A wrong call is one line of ours, the same in eager, scripted and compiled form, or an error of torch."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from wrong_calls import error_of, in_script, wrong_calls

CALLS = [call for call in wrong_calls() if call.ours]
DOCS = Path(__file__).parents[2] / "docs" / "ops_errors.md"
scripted = cache(in_script)


def name_of(call):
    return f"{call.name}: {call.mistake}"


@pytest.fixture(params=CALLS, ids=name_of)
def call(request):
    return request.param


def test_eager(call):
    error = error_of(call.target, call.args)
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


@pytest.mark.parametrize("wrong", [call for call in wrong_calls() if not call.ours], ids=name_of)
def test_torch_refuses_the_others_in_inference_and_training(wrong):
    x, *rest = wrong.args
    assert error_of(wrong.target, wrong.args) is not None
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        assert error_of(wrong.target, (x.detach().clone().requires_grad_(), *rest)) is not None
