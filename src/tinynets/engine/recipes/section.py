"""What all parts of a recipe share: checks of their values, with messages that name the field."""

import math
import types
import typing
from typing import Any, ClassVar

from tinynets._checks import unknown

_KINDS = {int: "an integer", float: "a finite number", bool: "true or false", str: "a string", type(None): "none"}


class Section:
    """Base class of the parts of a recipe. It checks the type of every field, then calls `check` for their values."""

    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self)).items():
            if typing.get_origin(kind) is not ClassVar:
                self._check_type(name, kind)
        self.check()

    def check(self) -> None:
        """Raise ValueError unless all values are valid."""

    def _check_type(self, name: str, kind: Any) -> None:
        value = getattr(self, name)
        kinds = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
        if float in kinds:
            kinds += (int,)
        fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            wanted = " or ".join(_KINDS.get(k, k.__name__) for k in kinds if not (k is int and float in kinds))
            raise ValueError(f"{self.prefix}{name} must be {wanted}, got {value!r}")

    def at_least(self, low: float, *names: str) -> None:
        """Raise ValueError unless each named field is at least low."""
        for name in names:
            if getattr(self, name) < low:
                raise ValueError(f"{self.prefix}{name} must be at least {low:g}, got {getattr(self, name)!r}")

    def below_one(self, *names: str) -> None:
        """Raise ValueError unless each named field is in [0, 1)."""
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{self.prefix}{name} must be in [0, 1), got {getattr(self, name)!r}")

    def probability(self, *names: str) -> None:
        """Raise ValueError unless each named field is in [0, 1]."""
        for name in names:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{self.prefix}{name} must be a probability in [0, 1], got {getattr(self, name)!r}")

    def positive(self, *names: str) -> None:
        """Raise ValueError unless each named field is above 0."""
        for name in names:
            if getattr(self, name) <= 0:
                raise ValueError(f"{self.prefix}{name} must be above 0, got {getattr(self, name)!r}")

    def one_of(self, name: str, known: tuple[str, ...]) -> None:
        """Raise ValueError unless the named field is one of the known values."""
        if getattr(self, name) not in known:
            raise unknown(f"{self.prefix}{name}", getattr(self, name), known)
