import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinynets


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_public_names_exist():
    assert all(hasattr(tinynets, name) for name in tinynets.__all__)
    assert sorted(tinynets.__all__) == tinynets.__all__


def test_import_brings_nothing_heavy():
    code = """
import json, sys, timm
before = set(sys.modules)
import tinynets, torch
added = sorted({name.split('.')[0] for name in set(sys.modules) - before} - {'tinynets', 'torch'})
heavy = sorted({'matplotlib', 'sklearn', 'tensorboard', 'triton', 'onnx'} & (set(sys.modules) - before))
engine = ["tinynets.engine" in sys.modules, tinynets.engine.train.__name__]
print(json.dumps([added, heavy, engine, torch.cuda.is_initialized()]))
"""
    added, heavy, engine, cuda = json.loads(in_a_new_process(code))
    assert heavy == []
    assert set(added) <= set(sys.stdlib_module_names)
    assert engine == [False, "train"]  # imported on first access
    assert cuda is False


ROOT = Path(tinynets.__file__).parent
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"
HELPERS = {"_modules", "_checks", "_files", "_context", "_text", "_statistics"}
ALLOWED = {
    "ops": set(),
    "layers": {"ops"},
    "weights": set(),
    "report": set(),
    "models": {"layers", "ops", "weights"},
    "analysis": {"layers", "ops", "report"},
    "deploy": {"engine", "layers", "models", "ops", "weights"},
    "engine": {"models", "weights"},
}
ALSO_ALLOWED = {"engine/loop/optimizer.py": {"layers", "ops"}}
ALLOWED_IN_ENGINE = {
    "recipes": set(),
    "data": set(),
    "augment": {"recipes"},
    "record": {"any_model"},
    "loop": {"any_model", "augment", "data", "evaluation", "recipes", "record", "trained"},
}


def imports_of(path):
    """Full names of what a file imports, relative imports resolved: tinynets.ops.chunks."""
    package = ["tinynets", *path.relative_to(ROOT).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def parts_of(path, prefix):
    """First names behind the prefix that a file imports."""
    return {name.removeprefix(prefix).split(".")[0] for name in imports_of(path) if name.startswith(prefix)}


def test_relative_imports_are_seen():
    assert "tinynets.ops._dispatch.use_triton" in imports_of(ROOT / "ops" / "__init__.py")
    assert "tinynets.ops._triton._maps.jit" in imports_of(ROOT / "ops" / "_triton" / "divisive_norm.py")
    assert "tinynets.ops._depthwise_conv2d.convolve" in imports_of(ROOT / "ops" / "_gated_dilated_conv2d.py")


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    for path in (ROOT / package).rglob("*.py"):
        allowed = ALLOWED[package] | ALSO_ALLOWED.get(path.relative_to(ROOT).as_posix(), set())
        assert parts_of(path, "tinynets.") <= allowed | HELPERS | {package}, path


@pytest.mark.parametrize("package", ALLOWED_IN_ENGINE)
def test_imports_inside_the_engine_point_one_way(package):
    for path in (ROOT / "engine" / package).rglob("*.py"):
        assert parts_of(path, "tinynets.engine.") <= ALLOWED_IN_ENGINE[package] | {package}, path


def test_every_folder_is_in_the_table():
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(ALLOWED)


def test_nothing_imports_the_command_line():
    for path in ROOT.rglob("*.py"):
        assert path == ROOT / "cli.py" or not any(name.startswith("tinynets_cli") for name in imports_of(path)), path


def test_the_design_notes_agree():
    rows = [line.split("|")[1:4] for line in DESIGN.read_text().splitlines() if line.startswith("| `")]
    documented = {row[0].strip(" `"): set(re.findall("`([a-z]+)`", row[2].partition(";")[0])) for row in rows}
    assert {folder: documented[folder] for folder in ALLOWED} == ALLOWED


def test_nothing_outside_ops_imports_a_private_name_of_it():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] != "ops":
            private = {name for name in imports_of(path) if name.startswith("tinynets.ops.") and "._" in name}
            assert not private, path


def test_no_name_shadows_a_module():
    """`tinynets.engine.evaluate` cannot be a function and a module at once."""
    for file in ROOT.rglob("__init__.py"):
        package = importlib.import_module(".".join(("tinynets", *file.parent.relative_to(ROOT).parts)))
        for name, value in vars(package).items():
            is_module = (file.parent / f"{name}.py").is_file() or (file.parent / name / "__init__.py").is_file()
            assert inspect.ismodule(value) or not is_module, f"{package.__name__}.{name}"


@pytest.mark.slow
def test_import_is_no_slower_than_1_3_times_timm():
    code = "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t)"
    pairs = [
        (float(in_a_new_process(code.format("timm"))), float(in_a_new_process(code.format("tinynets"))))
        for _ in range(7)
    ]
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    assert ratios[3] <= 1.3
