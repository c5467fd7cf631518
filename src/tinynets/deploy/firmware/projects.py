"""Toolchain projects of generated C: ESP-IDF and Zephyr by BakeNN's own exporters, and an Arduino library."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import templates
from .folder import read_metadata, write_metadata
from .int8 import bake
from .net import Net

REFERENCE = "reference.tflite"


def wrap(folder: Path, project: str, out: Path) -> Path:
    """Write a project that compiles the model of a folder.

    Args:
        folder: output of `--to c` or, for Arduino, `--to c-fp32` without a project.
        project: one of `PROJECTS`.
        out: the folder to write, which must not exist.

    Returns:
        out.

    Raises:
        ValueError: the project supports int8 only.
    """
    net = read_metadata(folder)
    if project != "arduino" and not net.integer:
        raise ValueError(f"--project {project} supports int8 code only: use --to c, or --project arduino")
    PROJECTS[project](net, folder, out)
    return out


def _esp_idf(net: Net, folder: Path, out: Path) -> None:
    from bakenn import export_esp_idf_project

    with tempfile.TemporaryDirectory() as work:
        _, compiled = bake((folder / REFERENCE).read_bytes(), Path(work) / "generated", net.name, "esp32")
        export_esp_idf_project(compiled.artifacts, "esp32", out)
    _compile_too(out / "main" / "CMakeLists.txt", '"main.c"', f'"main.c" "{net.name}.c"')
    _finish(net, folder, out, "main", "components/bakenn_model/generated")


def _zephyr(net: Net, folder: Path, out: Path) -> None:
    from bakenn import export_zephyr_project

    with tempfile.TemporaryDirectory() as work:
        _, compiled = bake((folder / REFERENCE).read_bytes(), Path(work) / "generated", net.name, "cortex-m4")
        export_zephyr_project(compiled.artifacts, "cortex-m4", out)
    _compile_too(out / "CMakeLists.txt", "  src/main.c\n", f"  src/main.c\n  src/{net.name}.c\n")
    _finish(net, folder, out, "src", "src/generated")


def _arduino(net: Net, folder: Path, out: Path) -> None:
    spec, example = out / "src", out / "examples" / "classify"
    spec.mkdir(parents=True)
    example.mkdir(parents=True)
    for file in (*folder.glob("*.h"), *(folder / name for name in net.sources)):
        shutil.copy(file, spec)
    (out / "library.properties").write_text(templates.arduino_properties(net), encoding="utf-8")
    (example / "classify.ino").write_text(templates.arduino_sketch(net), encoding="utf-8")
    moved = tuple(f"src/{name}" for name in net.sources)
    write_metadata(replace(net, sources=moved, includes=("src",)), out)
    _copy_rest(folder, out)


PROJECTS: dict[str, Callable[[Net, Path, Path], None]] = {
    "arduino": _arduino,
    "esp-idf": _esp_idf,
    "zephyr": _zephyr,
}


def _compile_too(cmake: Path, before: str, after: str) -> None:
    text = cmake.read_text(encoding="utf-8")
    assert before in text, f"BakeNN's {cmake.name} has changed"
    cmake.write_text(text.replace(before, after, 1), encoding="utf-8")


def _finish(net: Net, folder: Path, out: Path, main: str, generated: str) -> None:
    """Add the classify function to BakeNN's project, whose main.c measures cycles, and set the source paths."""
    for suffix in (".c", ".h"):
        shutil.copy(folder / f"{net.name}{suffix}", out / main)
    own, *rest = net.sources
    sources = (f"{main}/{own}", *(f"{generated}/{name}" for name in rest))
    write_metadata(replace(net, sources=sources, includes=(main, generated)), out)
    _copy_rest(folder, out)


def _copy_rest(folder: Path, out: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    (out / "README.md").write_text(templates.without_make(text), encoding="utf-8")
    if (folder / REFERENCE).exists():
        shutil.copy(folder / REFERENCE, out)
