"""The folder around generated C: a header, the function that a firmware calls, a program for the PC, how to use them.

`net.json` says what is in it: whoever compiles the folder reads that.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinynets._text import printable

from . import templates


@dataclass(frozen=True)
class Net:
    """Facts of a net as C.

    Attributes:
        name: prefix of its functions and files.
        format: c or c-fp32.
        size: (C, H, W) of an image.
        classes: names of the classes.
        sources: the .c files that make up the net, relative to the folder.
        includes: folders of its headers, relative to the folder.
        scale: of the scores: score = scale * (integer - zero_point). 1 for fp32.
        zero_point: of the scores, 0 for fp32.
        flash: bytes of flash: exact for constants, measured on a Cortex-M4 for the code.
        ram: bytes of static RAM.
        generator: who generated the code, and its licence.
    """

    name: str
    format: str
    size: tuple[int, int, int]
    classes: tuple[str, ...]
    sources: tuple[str, ...]
    includes: tuple[str, ...]
    scale: float
    zero_point: int
    flash: int
    ram: int
    generator: str

    @property
    def integer(self) -> bool:
        return self.format == "c"


def identifier(name: str) -> str:
    """A name as a C identifier in small letters."""
    text = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).lower()
    return text if text[:1].isalpha() else f"net_{text}"


def class_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Names of the classes, or their numbers if there are none."""
    return tuple(map(printable, names)) if len(names) == count else tuple(map(str, range(count)))


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
    write_facts(net, folder)


def write_facts(net: Net, folder: Path) -> None:
    (folder / "net.json").write_text(json.dumps(asdict(net), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> Net:
    """The metadata of a folder."""
    metadata: dict[str, Any] = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    for key in ("size", "classes", "sources", "includes"):
        metadata[key] = tuple(metadata[key])
    return Net(**metadata)
