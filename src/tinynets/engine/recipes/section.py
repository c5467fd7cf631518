"""Type-based validation of the fields of a recipe's sections.

A field is an int, float, bool or str, a bounded type defined below, a Literal, or the union of one of these with None.
"""

import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from tinynets._checks import unknown


class Bound(NamedTuple):
    """A constraint on a number, in words and as a predicate."""

    text: str
    holds: Callable[[float], bool]


_NOT_NEGATIVE = Bound("at least 0", lambda value: value >= 0)
NonNegative = Annotated[float, _NOT_NEGATIVE]
NonNegativeInt = Annotated[int, _NOT_NEGATIVE]
PositiveInt = Annotated[int, Bound("at least 1", lambda value: value >= 1)]
Positive = Annotated[float, Bound("above 0", lambda value: value > 0)]
BelowOne = Annotated[float, Bound("in [0, 1)", lambda value: 0 <= value < 1)]
Probability = Annotated[float, Bound("a probability in [0, 1]", lambda value: 0 <= value <= 1)]

_KINDS = {int: "an integer", float: "a finite number", bool: "true or false", str: "a string", type(None): "none"}


class Section:
    """Base class of a recipe's sections, which validates every field by its type and then calls `check`."""

    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self), include_extras=True).items():
            if typing.get_origin(kind) is not ClassVar:
                self._check_field(name, kind)
        self.check()

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""

    def _check_field(self, name: str, kind: Any) -> None:
        value = getattr(self, name)
        kinds, choices, bounds = _parts(kind)
        if float in kinds:
            kinds += (int,)
        valid = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not valid or (isinstance(value, float) and not math.isfinite(value)):
            expected = " or ".join(_KINDS.get(k, k.__name__) for k in kinds if not (k is int and float in kinds))
            raise ValueError(f"{self.prefix}{name} must be {expected}, got {value!r}")
        if value is None:
            return
        if choices and value not in choices:
            raise unknown(f"{self.prefix}{name}", value, choices)
        for bound in bounds:
            if not bound.holds(value):
                raise ValueError(f"{self.prefix}{name} must be {bound.text}, got {value!r}")


def _parts(kind: Any) -> tuple[tuple[type, ...], tuple[str, ...], tuple[Bound, ...]]:
    """Return the classes of a type, the strings of its Literal, and its bounds."""
    origin = typing.get_origin(kind)
    if origin is Annotated:
        inner, *bounds = typing.get_args(kind)
        return (inner,), (), tuple(bounds)
    if origin is Literal:
        return (str,), typing.get_args(kind), ()
    if origin in (typing.Union, types.UnionType):
        classes, choices, bounds = zip(*map(_parts, typing.get_args(kind)), strict=True)
        return sum(classes, ()), sum(choices, ()), sum(bounds, ())
    return (kind,), (), ()
