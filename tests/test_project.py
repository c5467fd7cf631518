"""Consistency of versions, lower bounds and pins across files."""

import re
from pathlib import Path

import pytest

import tinynets

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(text):
    """Exact versions by name: {"ruff": "0.17.6"}."""
    return dict(re.findall(r"^\W*([\w-]+)==([\w.]+)", text, re.MULTILINE))


def bounds_of(requirements):
    """What is demanded by name: {"numpy": ">=1.24"}."""
    return dict(re.fullmatch(r"([\w-]+)(?:\[.*\])?(.*)", requirement).groups() for requirement in requirements)


def test_every_dependency_has_a_lower_bound_and_it_is_the_one_that_is_tested():
    bounds = bounds_of(PROJECT["dependencies"])
    lowest = pins((ROOT / ".ci/lowest.txt").read_text())
    assert set(bounds) == set(lowest) >= {"torch", "timm", "numpy"}
    for name, bound in bounds.items():
        least = re.fullmatch(r">=([\d.]+)", bound)[1]
        assert re.fullmatch(re.escape(least) + r"(\.0)*", lowest[name]), name


def test_every_extra_has_lower_bounds():
    for extra in ("demo", "plots", "tensorboard", "test", "docs"):
        bounds = bounds_of(PROJECT["optional-dependencies"][extra])
        bounds.pop("tinynets", None)
        assert bounds
        assert all(bound.startswith(">=") for bound in bounds.values()), bounds


def test_lint_has_one_version():
    lint = pins((ROOT / ".ci/lint.txt").read_text())
    dev = bounds_of(PROJECT["optional-dependencies"]["dev"])
    assert set(lint) == {"ruff", "pyright"}
    assert {name: dev[name] for name in lint} == {name: f"=={version}" for name, version in lint.items()}
    hooks = re.findall(r"ruff==([\d.]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == [lint["ruff"]] * 2


def test_the_citation_names_this_version():
    (version,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert version == tinynets.__version__


def test_every_python_version_from_the_lowest_on_is_classified():
    classified = [
        line.rsplit(" ", 1)[1]
        for line in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    assert f">={classified[0]}" == PROJECT["requires-python"]
    assert [int(version.split(".")[1]) for version in classified] == list(range(10, 10 + len(classified)))
