from dataclasses import dataclass

from tinynets._text import printable


@dataclass(frozen=True)
class Net:
    """Metadata of a model as C, for its header, program and README.

    Attributes:
        name: prefix of its functions and files.
        format: c or c-fp32.
        size: (C, H, W) of an image.
        classes: names of the classes.
        sources: its .c files, relative to the folder.
        includes: folders of its headers, relative to the folder.
        scale: quantization scale of the scores: score = scale * (integer - zero_point). 1 for fp32.
        zero_point: zero point of the scores, 0 for fp32.
        flash: bytes of flash: exact for constants, measured on a Cortex-M4 for the code.
        ram: bytes of static RAM.
        generator: the code generator and its license.
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
    """Convert a name to a lowercase C identifier."""
    text = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).lower()
    return text if text[:1].isalpha() else f"net_{text}"


def class_names(names: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return the class names, or class indices if there are none."""
    return tuple(map(printable, names)) if len(names) == count else tuple(map(str, range(count)))
