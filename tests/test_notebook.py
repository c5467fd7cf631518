"""examples/tour.ipynb runs from top to bottom, stores the outputs of one run, and uses public names only."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[1] / "examples/tour.ipynb"
CELLS = [cell for cell in json.loads(TOUR.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
SOURCES = ["".join(cell["source"]) for cell in CELLS]


def printed(cell):
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_every_cell_compiles_and_uses_public_names():
    used = set()
    for source in SOURCES:
        tree = ast.parse(re.sub(r"^(\s*)%pip.*$", r"\1pass", source, flags=re.MULTILINE))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("tinynets"):
                used |= {(node.module, name.name) for name in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tinynets":
                used.add(("tinynets", node.attr))
    assert len(used) > 10
    assert [pair for pair in used if pair[1] not in importlib.import_module(pair[0]).__all__] == []


def test_the_first_cell_installs_only_where_tinynets_is_missing():
    ran = []
    exec(re.sub(r"%pip.*", "ran.append(1)", SOURCES[0]), {"ran": ran})
    assert ran == []
    assert "%pip install" in SOURCES[0]


def test_its_outputs_are_those_of_one_run_and_name_no_machine():
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    assert all(cell["outputs"] for cell in CELLS[2:])
    assert not [output for cell in CELLS for output in cell["outputs"] if output["output_type"] == "error"]
    assert not re.search(r"/(home|root|tmp|Users)/|Warning", "".join(map(printed, CELLS)))


@pytest.mark.slow
def test_it_runs(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    NotebookClient = pytest.importorskip("nbclient").NotebookClient
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = "".join(map(printed, cells))
    before, after = map(float, re.search(r"before ([\d.]+) %, after ([\d.]+) %", text).groups())
    assert after > 98 > before
    assert re.search(r"kB; the same class as PyTorch for 100 % of 359 images", text)
    pictures = [output for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    assert not list(tmp_path.iterdir())  # it writes into a folder of its own
