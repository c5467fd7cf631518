"""The folder around generated C: a header, the function that a firmware calls, a program for the PC, how to use them.

`net.json` says what is in it: whoever compiles the folder reads that.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import templates
from .net import Net


def write_plain(net: Net, folder: Path, glue: str) -> None:
    """Write what surrounds the generated code. `glue` is the text of NAME.c."""
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
    """The metadata of a folder."""
    metadata: dict[str, Any] = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    for key in ("size", "classes", "sources", "includes"):
        metadata[key] = tuple(metadata[key])
    return Net(**metadata)
