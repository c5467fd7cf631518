from dataclasses import dataclass

from tinynets._text import printable


@dataclass(frozen=True)
class Net:
    """A net as C: what its header, its program and its README say.

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
