"""What was seen inside encoders, drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from textseq.probing.inner import Inner
from textseq.probing.reach import Reach
from textseq.reporting.chart import Chart
from textseq.reporting.charts.comparing import stroke
from textseq.reporting.drawing import INK, QUIET, WIDTH, Drawing, columns, shortened
from textseq.reporting.looking.tables import said

LEAST = 1e-12  # lower gradients are not drawn; the table has them
_LETTER = 6.5  # units of a letter at the size of labels
_MOST_LETTERS = 16


def reach_chart(found: Sequence[Reach], wanted: str) -> Chart:
    """Draws the norm at each distance from the loss, as a multiple of that at the loss."""
    drawing = Drawing("reach", width=760, height=360 + 16 * max(len(found) - 9, 0), right=210)
    for number, one in enumerate(found):
        curve = one.curves[one.best(wanted)]
        colour, style = stroke(number)
        heights = np.where(curve.relative >= LEAST, curve.relative, np.nan)
        drawing.axes.plot(
            curve.distances, heights, color=colour, linestyle=style, linewidth=1.6, label=shortened(one.label, 32)
        )
    drawing.axes.set_yscale("log")
    drawing.axes.yaxis.set_major_formatter(_power)
    drawing.axes.set_xlabel("steps back from the loss")
    drawing.axes.set_ylabel("norm, relative")
    drawing.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    says = "A straight line is a memory that fades by a constant factor at each step."
    svg = drawing.svg(f"Norm of the gradient against the distance to the loss. {says}")
    return Chart("The gradient on its way back", says, svg, wide=True, scrolls=True)


def inner_charts(layer: Inner, tokens: Sequence[str], key: str) -> list[Chart]:
    """Draws a field for each gate or state, unit by token, or for each head, token by token.

    Args:
        layer: What was seen of it.
        tokens: Of the text.
        key: Begins the drawings' names in the page.
    """
    charts = []
    for name, array in layer.arrays.items():
        if layer.kind == "steps":
            signed = bool(array.min(initial=0.0) < 0)
            svg, wide = _field(f"{key}-{name}", array.T, tokens, None, signed=signed)
            says = "A column a token, a row a unit."
            charts.append(Chart(name.capitalize(), says, svg, wide=wide, scrolls=wide))
            continue
        for head, weights in enumerate(array, 1):
            svg, wide = _field(f"{key}-{name}-{head}", weights, tokens, tokens, signed=False)
            says = "A row a token that looks, a column a token that is looked at."
            charts.append(Chart(f"Head {head}", says, svg, wide=wide, scrolls=wide))
    return charts


def _field(
    key: str, array: np.ndarray, across: Sequence[str], rows: Sequence[str] | None, *, signed: bool
) -> tuple[str, bool]:
    """Returns a field of colours, from 0 to 1 or, where entries have a sign, around 0; and whether it is wide."""
    heads = [shortened(said(token), _MOST_LETTERS) for token in across]
    room = 14 + _LETTER * max(columns(head) for head in heads)
    height = 15 * len(rows) if rows else 150
    drawing = Drawing(
        key.replace(" ", "-"),
        width=max(280, 15 * len(heads) + (room if rows else 40) + 80),
        height=height + room + 12,
        left=room if rows else 40,
        bottom=room,
        right=80,
    )
    largest = max(float(np.abs(array).max(initial=0.0)), 1e-9) if signed else 1.0
    colours: dict[str, Any] = {"cmap": "RdBu", "vmin": -largest} if signed else {"cmap": "viridis", "vmin": 0.0}
    axes = drawing.axes
    image = axes.imshow(array, aspect="auto", interpolation="nearest", vmax=largest, **colours)
    axes.grid(visible=False)
    axes.set_xticks(range(len(heads)), heads, rotation=90, parse_math=False)
    axes.tick_params(length=0, labelcolor=INK)
    if rows:
        axes.set_yticks(range(len(rows)), heads, parse_math=False)
    else:
        axes.set_ylabel("unit")
    bar = drawing.figure.colorbar(image, cax=axes.inset_axes((1.0, 0.0, 0.02, 1.0), transform=_beside(drawing)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, colors=QUIET, labelsize=11)
    svg = drawing.svg(f"{key}: a field of {array.shape[0]} rows and {array.shape[1]} tokens.")
    return svg, drawing.width > WIDTH


def _beside(drawing: Drawing) -> Any:
    """Returns the axes' coordinates, moved a little to the right."""
    from matplotlib.transforms import Affine2D

    return Affine2D().translate(0.02, 0.0) + drawing.axes.transAxes


def _power(value: float, _: Any) -> str:
    return f"1e{round(math.log10(value))}" if value > 0 else ""
