"""Kinds of values: what a setting takes, read from its type annotation; checks a value, describes itself to editors.

Settings and constructor arguments use few types: numbers, words, lists of them. Checking these needs no library, and a
check that needs none answers at once: importing pydantic and making its first model takes 0.15 to 0.25 s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textseq.config.problems import Path, Problems
from textseq.errors import nearest


class Kind:
    """What values a setting takes."""

    text = "anything"

    def fits(self, value: Any) -> bool:
        """Whether `value` is of this kind at first sight: its type, not what is in it."""
        return True

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Notes what is wrong with `value` and returns it in the type that the code wants."""
        if not self.fits(value):
            problems.add(path, f"must be {self.text}", received=value)
        return value

    def json_schema(self) -> dict[str, Any]:
        """Returns the kind in JSON schema's words."""
        return {}


@dataclass(frozen=True)
class Bounds:
    """The range of a number; None where it has no end.

    Attributes:
        least: Smallest value allowed.
        most: Largest value allowed.
        above: The value must be greater.
        below: The value must be smaller.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        return not (
            (self.least is not None and value < self.least)
            or (self.most is not None and value > self.most)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
        )

    def __str__(self) -> str:
        """Returns the range in words."""
        words = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{word} {value:g}" for word, value in words.items() if value is not None)

    def json_schema(self) -> dict[str, Any]:
        """Returns the range in JSON schema's words."""
        names = {
            "minimum": self.least,
            "maximum": self.most,
            "exclusiveMinimum": self.above,
            "exclusiveMaximum": self.below,
        }
        return {name: value for name, value in names.items() if value is not None}


class Text(Kind):
    """Any text."""

    text = "a text"

    def fits(self, value: Any) -> bool:
        """A string."""
        return isinstance(value, str)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Reminds of quotes where YAML read a number or a truth value."""
        if isinstance(value, bool | int | float):
            problems.add(path, f"must be {self.text}", received=value, way_out="Put quotes around it")
            return value
        return super().check(value, path, problems)

    def json_schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string"}


class TrueOrFalse(Kind):
    """A truth value."""

    text = "true or false"

    def fits(self, value: Any) -> bool:
        """A bool; YAML 1.2 reads `no` and `yes` as words."""
        return isinstance(value, bool)

    def json_schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


class Null(Kind):
    """Nothing."""

    text = "null"

    def fits(self, value: Any) -> bool:
        """None."""
        return value is None

    def json_schema(self) -> dict[str, Any]:
        """Null."""
        return {"type": "null"}


@dataclass(frozen=True)
class Number(Kind):
    """A finite number.

    Attributes:
        whole: Whether it must be whole; `1e5` is.
        bounds: Its range.
    """

    whole: bool
    bounds: Bounds = Bounds()

    @property
    def text(self) -> str:  # type: ignore[override]
        """Names the kind."""
        return "a whole number" if self.whole else "a number"

    def fits(self, value: Any) -> bool:
        """An int or a finite float, and no bool."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return not self.whole or value == int(value)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Checks the range too."""
        if not self.fits(value):
            return super().check(value, path, problems)
        if not self.bounds.hold(value):
            problems.add(path, f"must be {self.bounds}", received=value)
        return int(value) if self.whole else float(value)

    def json_schema(self) -> dict[str, Any]:
        """A number with its range."""
        return {"type": "integer" if self.whole else "number", **self.bounds.json_schema()}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few values.

    Attributes:
        values: Those.
    """

    values: tuple[Any, ...]

    @property
    def text(self) -> str:  # type: ignore[override]
        """Lists the values."""
        return (
            "one of " + ", ".join(str(value) for value in self.values) if len(self.values) > 1 else repr(*self.values)
        )

    def fits(self, value: Any) -> bool:
        """Equal in value and in type, for True equals 1."""
        return any(type(value) is type(known) and value == known for known in self.values)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Suggests the value most like the one received."""
        if not self.fits(value):
            near = (
                nearest(value, [known for known in self.values if isinstance(known, str)])
                if isinstance(value, str)
                else None
            )
            problems.add(
                path, f"must be {self.text}", received=value, way_out=f"Did you mean '{near}'?" if near else ""
            )
        return value

    def json_schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class ListOf(Kind):
    """A list.

    Attributes:
        item: What is in it.
        frozen: Whether the code wants a tuple.
    """

    item: Kind
    frozen: bool = False

    @property
    def text(self) -> str:  # type: ignore[override]
        """Names the kind."""
        return "a list"

    def fits(self, value: Any) -> bool:
        """A list or tuple."""
        return isinstance(value, list | tuple)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Checks each item."""
        if not self.fits(value):
            return super().check(value, path, problems)
        items = [self.item.check(item, (*path, number), problems) for number, item in enumerate(value)]
        return tuple(items) if self.frozen else items

    def json_schema(self) -> dict[str, Any]:
        """An array."""
        return {"type": "array", "items": self.item.json_schema()}


@dataclass(frozen=True)
class MappingOf(Kind):
    """A mapping with text keys.

    Attributes:
        keys: What the keys may be.
        values: What the values are.
    """

    keys: Kind
    values: Kind

    @property
    def text(self) -> str:  # type: ignore[override]
        """Names the kind."""
        return "a mapping"

    def fits(self, value: Any) -> bool:
        """A mapping."""
        return isinstance(value, Mapping)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Checks each key and value."""
        if not self.fits(value):
            return super().check(value, path, problems)
        for key in value:
            self.keys.check(key, (*path, key), problems)
        return {key: self.values.check(item, (*path, key), problems) for key, item in value.items()}

    def json_schema(self) -> dict[str, Any]:
        """An object."""
        names = {"propertyNames": self.keys.json_schema()} if isinstance(self.keys, Choice) else {}
        return {"type": "object", "additionalProperties": self.values.json_schema(), **names}


@dataclass(frozen=True)
class AnyOf(Kind):
    """A value of one kind or another; the first that fits counts.

    Attributes:
        kinds: Those.
    """

    kinds: tuple[Kind, ...]

    @property
    def text(self) -> str:  # type: ignore[override]
        """Joins the kinds' names."""
        names = [kind.text for kind in self.kinds]
        return f"{', '.join(names[:-1])} or {names[-1]}"

    def fits(self, value: Any) -> bool:
        """Any of them."""
        return any(kind.fits(value) for kind in self.kinds)

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Leaves it to the first kind that fits."""
        for kind in self.kinds:
            if kind.fits(value):
                return kind.check(value, path, problems)
        return super().check(value, path, problems)

    def json_schema(self) -> dict[str, Any]:
        """Any of their schemas."""
        return {"anyOf": [kind.json_schema() for kind in self.kinds]}
