"""Curves drawn with characters, for terminals and logs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import click

MARKS = "●○▲△■□◆◇★☆✚✖"
COLOURS = ("blue", "yellow", "green", "red", "magenta", "cyan")


@dataclass(frozen=True)
class Drawn:
    """A curve to draw.

    Attributes:
        label: Its name.
        places: Along the horizontal axis, at least 0.
        values: Heights; those of 0 are not drawn.
    """

    label: str
    places: Sequence[float]
    values: Sequence[float]


def plot(curves: Sequence[Drawn], *, across: str, least: float, width: int = 72, height: int = 18) -> str:
    """Returns a chart whose vertical axis is logarithmic, and a legend.

    Args:
        curves: At least one. Where two meet, the earlier is seen.
        across: What the horizontal axis counts.
        least: The bottom of the axis, above 0; what lies lower is not drawn.
        width: Columns of the field.
        height: Rows of the field.
    """
    values = [value for curve in curves for value in curve.values if value >= least]
    top = math.ceil(math.log10(max(values, default=1.0)) - 1e-9)
    bottom = min(math.floor(math.log10(min(values, default=0.1)) + 1e-9), top - 1)
    farthest = max((place for curve in curves for place in curve.places), default=1.0) or 1.0
    field = [[" "] * width for _ in range(height)]
    for number, curve in reversed(list(enumerate(curves))):
        mark = click.style(MARKS[number % len(MARKS)], fg=COLOURS[number % len(COLOURS)])
        for column, level in _columns(curve, farthest, least, width):
            row = round((top - level) / (top - bottom) * (height - 1))
            if 0 <= row < height:
                field[row][column] = mark
    lines = [f"{_axis(row, height, top, bottom):>7} │{''.join(cells)}" for row, cells in enumerate(field)]
    ends = f"0{across:^{width - 1 - len(f'{farthest:g}')}}{farthest:g}"
    legend = [
        f"        {click.style(MARKS[number % len(MARKS)], fg=COLOURS[number % len(COLOURS)])} {curve.label}"
        for number, curve in enumerate(curves)
    ]
    return "\n".join([*lines, f"{'':7} └{'─' * width}", f"{'':9}{ends}", *legend])


def _columns(curve: Drawn, farthest: float, least: float, width: int) -> list[tuple[int, float]]:
    """Returns, for each column that the curve crosses, the logarithm of its height there."""
    points = [
        (place / farthest * (width - 1), math.log10(value))
        for place, value in zip(curve.places, curve.values, strict=True)
        if value >= least
    ]
    found: dict[int, float] = {}
    for (x, y), (next_x, next_y) in zip(points, [*points[1:], points[-1]] if points else [], strict=True):
        found.setdefault(round(x), y)
        for column in range(math.ceil(x), math.floor(next_x) + 1):
            share = (column - x) / (next_x - x) if next_x > x else 0.0
            found.setdefault(column, y + share * (next_y - y))
    return sorted(found.items())


def _axis(row: int, height: int, top: int, bottom: int) -> str:
    """Returns the power of ten at a row; nothing where the row is none's."""
    powers = range(bottom, top + 1, max((top - bottom) // 6, 1))
    at = {round((top - power) / (top - bottom) * (height - 1)): power for power in powers}
    return f"1e{at[row]}" if row in at else ""
