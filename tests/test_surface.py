"""What users call is listed in surface.txt: public names, commands with their options, fields of recipes."""

import argparse
import importlib
import inspect
from pathlib import Path

from tinynets.engine import Recipe
from tinynets_cli import build_parser

LIST = Path(__file__).with_name("surface.txt")
MODULES = ("analysis", "deploy", "engine", "layers", "models", "ops", "weights")


def names():
    for module in map(importlib.import_module, ("tinynets", *(f"tinynets.{name}" for name in MODULES))):
        for name in module.__all__:
            if not inspect.ismodule(getattr(module, name)):
                yield f"{module.__name__}.{name}"


def options():
    (commands,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    for name, command in commands.choices.items():
        for action in command._actions:
            if not isinstance(action, argparse._HelpAction):
                yield f"tinynets {name} {' '.join(action.option_strings) or action.metavar}"


def fields():
    for name, value in Recipe().to_dict().items():
        inner = [f"{name}.{field}" for field in value] if isinstance(value, dict) else [name]
        yield from (f"recipe {field}" for field in inner)


def test_the_surface_is_the_one_that_is_listed():
    listed = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    found = [*names(), *options(), *fields()]
    assert sorted(set(found) - set(listed)) == [], "new: see the first line of surface.txt"
    assert sorted(set(listed) - set(found)) == [], "gone: take it out of surface.txt"
    assert len(listed) == len(set(listed))
