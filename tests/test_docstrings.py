"""Everything that can be imported without an underscore is documented, and the examples in the docstrings run."""

import doctest
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tinynets.layers import registry
from tinynets.ops import _dispatch

PACKAGES = (
    "tinynets",
    "tinynets.analysis",
    "tinynets.deploy",
    "tinynets.deploy.formats",
    "tinynets.engine",
    "tinynets.engine.augment",
    "tinynets.engine.data",
    "tinynets.engine.loop",
    "tinynets.engine.recipes",
    "tinynets.engine.record",
    "tinynets.layers",
    "tinynets.models",
    "tinynets.ops",
    "tinynets.report",
    "tinynets.weights",
)


def _exported() -> dict[str, Any]:
    """Public classes and functions by the path of their definition."""
    found = {}
    for package in map(importlib.import_module, PACKAGES):
        for name in getattr(package, "__all__", [name for name in vars(package) if not name.startswith("_")]):
            value = getattr(package, name)
            home = getattr(value, "__module__", None) or ""
            if callable(value) and home.startswith("tinynets.") and "._checks" not in home:
                found[f"{home}.{value.__qualname__}"] = value
    return found


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class and its bases in this package define, without those that torch
    documents.
    """
    for base in cls.__mro__:
        if base.__module__.startswith("tinynets."):
            for name, value in vars(base).items():
                is_code = inspect.isroutine(value) or isinstance(value, property | staticmethod | classmethod)
                if is_code and not name.startswith("_") and not hasattr(torch.nn.Module, name):
                    yield f"{base.__module__}.{base.__qualname__}.{name}", value


EXPORTED = _exported()
DEFINITIONS = EXPORTED | dict(
    member for value in EXPORTED.values() if inspect.isclass(value) for member in _members(value)
)


def test_every_public_definition_is_documented():
    assert len(DEFINITIONS) > 150
    undocumented = [name for name, value in DEFINITIONS.items() if not (value.__doc__ or "").strip()]
    assert undocumented == []


def test_every_public_function_and_class_has_an_example():
    assert len(EXPORTED) > 80
    assert [name for name, value in EXPORTED.items() if ">>>" not in value.__doc__] == []


def test_a_docstring_begins_with_a_sentence():
    for name, value in DEFINITIONS.items():
        first = inspect.cleandoc(value.__doc__).split("\n\n")[0].rstrip()
        assert first.endswith((".", ":", ")")), f"{name}: {first}"
        assert first[0].isupper() or not first[0].isalpha() or first.split()[0] in ("timm's", "fp32"), (
            f"{name}: {first}"
        )


@pytest.mark.parametrize("name", EXPORTED)
def test_the_parameters_of_a_public_function_are_documented(name):
    value = EXPORTED[name]
    names = (
        []
        if inspect.isclass(value) and value.__init__ is object.__init__
        else list(inspect.signature(value).parameters)
    )
    document = inspect.cleandoc(value.__doc__)
    missing = [
        n
        for n in names
        if f"    {n}: " not in document and f"    *{n}: " not in document and f"    **{n}: " not in document
    ]
    assert missing == []


@pytest.mark.parametrize("name", [name for name, value in DEFINITIONS.items() if ">>>" in (value.__doc__ or "")])
def test_the_example_runs(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_LAYERS", dict(registry._LAYERS))  # an example registers a layer
    monkeypatch.setattr(_dispatch, "_triton_enabled", _dispatch._triton_enabled)  # another switches Triton off
    torch.manual_seed(0)
    example = doctest.DocTestParser().get_doctest(DEFINITIONS[name].__doc__, {}, name, None, None)
    output: list[str] = []
    failed = doctest.DocTestRunner(verbose=False).run(example, out=output.append).failed
    assert not failed, "".join(output)
