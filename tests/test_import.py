import ast
import importlib
import inspect
import json
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
added = sorted({name.split('.')[0] for name in set(sys.modules) - before} - {'tinynets'})
heavy = sorted({'matplotlib', 'sklearn', 'tensorboard', 'triton', 'onnx'} & (set(sys.modules) - before))
print(json.dumps([added, heavy, torch.cuda.is_initialized()]))
"""
    added, heavy, cuda = json.loads(in_a_new_process(code))
    assert heavy == []
    assert set(added) <= set(sys.stdlib_module_names)
    assert cuda is False


ALLOWED = {
    "ops": set(),
    "layers": {"ops"},
    "weights": set(),
    "models": {"layers", "ops", "weights"},
    "analysis": {"layers", "ops"},
    "deploy": {"layers"},
    "engine": {"models", "weights"},
}

HELPERS = {"_checks", "_files", "_guest", "_modes", "_say", "_statistics"}

ALSO_ALLOWED = {"engine/loop/optimizer.py": {"layers", "ops"}}


ALLOWED_IN_ENGINE = {
    "recipes": set(),
    "data": set(),
    "augment": {"recipes"},
    "record": {"any_model"},
    "loop": {"any_model", "augment", "data", "evaluation", "recipes", "record", "trained"},
}


def imports_of(paths, prefix):
    """First names behind the prefix that the files import."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package):
    """cli -> engine, deploy, analysis -> models -> layers -> ops."""
    root = Path(tinynets.__file__).parent
    for path in (root / package).rglob("*.py"):
        imported = imports_of([path], "tinynets.") - {
            package,
            "_checks",
            "_files",
            "_modes",
            "_guest",
            "_say",
            "_statistics",
        }
        assert imported <= ALLOWED[package] | ALSO_ALLOWED.get(path.relative_to(root).as_posix(), set()), path


@pytest.mark.parametrize("package", ALLOWED_IN_ENGINE)
def test_imports_inside_the_engine_point_one_way(package):
    imported = imports_of((Path(tinynets.__file__).parent / "engine" / package).rglob("*.py"), "tinynets.engine.")
    assert imported - {package} <= ALLOWED_IN_ENGINE[package]


SHADOWED_ON_PURPOSE = {"deploy.fuse"}  # and `ops`, which has one op a file


def test_no_name_shadows_a_module():
    """`tinynets.engine.evaluate` cannot be a function and a module at once."""
    root, shadowed = Path(tinynets.__file__).parent, set()
    for file in root.rglob("__init__.py"):
        package = ".".join(("tinynets", *file.parent.relative_to(root).parts))
        if package.startswith(("tinynets.cli", "tinynets.ops")):
            continue
        for name, value in vars(importlib.import_module(package)).items():
            if (file.parent / f"{name}.py").is_file() and not inspect.ismodule(value):
                shadowed.add(f"{package}.{name}".removeprefix("tinynets."))
    assert shadowed <= SHADOWED_ON_PURPOSE


@pytest.mark.slow
def test_import_is_no_slower_than_1_3_times_timm():
    code = "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t)"
    pairs = [
        (float(in_a_new_process(code.format("timm"))), float(in_a_new_process(code.format("tinynets"))))
        for _ in range(7)
    ]
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    assert ratios[3] <= 1.3
