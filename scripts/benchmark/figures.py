"""Single figures with their bounds, for workloads that are no race."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        value: The number.
        unit: Its unit.
        at_most: What it promises not to exceed.
        at_least: What it promises to reach.
    """

    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least


Figures = dict[str, Figure]


def to_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Returns figures and promises, JSON-serialisable."""
    targets = []
    for name, one in figures.items():
        if one.met is not None:
            word, bound = ("at most", one.at_most) if one.at_most is not None else ("at least", one.at_least)
            text = f"{name}: {word} {bound:g} {one.unit}"
            targets.append({"target": text, "bound": bound, "value": one.value, "met": one.met})
    values = {name: {"value": one.value, "unit": one.unit} for name, one in figures.items()}
    return {"figures": values, "targets": targets}
