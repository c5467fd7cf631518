"""The folder of generated C: a header, the function that the firmware calls, a program for the PC, and a README.

`net.json` contains the metadata for compiling the folder.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import templates
from .net import Net


def write_plain(net: Net, folder: Path, glue: str) -> None:
    """Write the files around the generated code; `glue` is the content of NAME.c."""
    for name, text in {
        f"{net.name}.h": templates.header(net),
        f"{net.name}.c": glue,
        "main.c": templates.main(net),
        "Makefile": templates.makefile(net),
        "README.md": templates.readme(net),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_metadata(net, folder)


def write_metadata(net: Net, folder: Path) -> None:
    (folder / "net.json").write_text(json.dumps(asdict(net), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> Net:
    """Read the metadata of a folder."""
    metadata: dict[str, Any] = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    for key in ("size", "classes", "sources", "includes"):
        metadata[key] = tuple(metadata[key])
    return Net(**metadata)
