"""Charts as SVG that take the page's colour of text, so that they can be read on light and on dark."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_TEXT = "#010203"  # stands for the page's own colour until the SVG is made
_SIZE = (9.0, 4.6)  # inches; pages scale it


@dataclass(frozen=True)
class Line:
    """A curve of a chart.

    Attributes:
        label: Its name in the legend.
        places: Along the horizontal axis.
        values: Their heights; what is not above 0 is not drawn on a logarithmic axis.
    """

    label: str
    places: np.ndarray
    values: np.ndarray


def line_chart(lines: Sequence[Line], *, across: str, up: str, logarithmic: bool = False, least: float = 0.0) -> str:
    """Returns curves over one axis.

    Args:
        lines: At least one.
        across: What the horizontal axis counts.
        up: What the vertical axis measures.
        logarithmic: Whether the vertical axis is.
        least: Values below it are not drawn.
    """
    figure, axes = _figure(_SIZE)
    for number, line in enumerate(lines):
        values = np.where(line.values >= max(least, np.finfo(float).tiny), line.values, np.nan)
        style = ("-", "--", "-.", ":")[number // 10 % 4]
        axes.plot(line.places, values, style, label=line.label, color=f"C{number % 10}", linewidth=1.8)
    if logarithmic:
        axes.set_yscale("log")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(True, alpha=0.25)
    legend = axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    for text in legend.get_texts():
        text.set_color(_TEXT)
    return _svg(figure)


def heat_map(array: np.ndarray, *, across: Sequence[str], up: str, signed: bool, rows: Sequence[str] = ()) -> str:
    """Returns an array as a field of colours.

    Args:
        array: `(rows, columns)`
        across: A label for each column.
        up: What the rows are.
        signed: Whether colours are centred on 0; otherwise they go from 0 to 1, or to the largest entry above that.
        rows: A label for each row; none for plain numbers.
    """
    height = 1.6 + (0.2 * len(rows) if rows else 1.8)
    figure, axes = _figure((max(4.0, 1.8 + 0.22 * len(across)), height))
    largest = float(np.abs(array).max(initial=0.0))
    largest = max(largest, 1e-9) if signed else max(largest, 1.0)
    colours = {"cmap": "RdBu", "vmin": -largest, "vmax": largest} if signed else {"cmap": "viridis", "vmin": 0.0}
    image = axes.imshow(array, aspect="auto", interpolation="nearest", **{"vmax": largest, **colours})
    axes.set_xticks(range(len(across)), [label.strip() or "␣" for label in across], rotation=90, fontsize=7)
    if rows:
        axes.set_yticks(range(len(rows)), [label.strip() or "␣" for label in rows], fontsize=7)
    axes.set_ylabel(up)
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.tick_params(colors=_TEXT, labelsize=7)
    return _svg(figure)


def _figure(size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    axes.tick_params(colors=_TEXT)
    axes.xaxis.label.set_color(_TEXT)
    axes.yaxis.label.set_color(_TEXT)
    for spine in axes.spines.values():
        spine.set_color(_TEXT)
        spine.set_alpha(0.4)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    # Text stays text: it takes the page's font, can be searched, and no glyph can be missing.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "textseq", "text.parse_math": False}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(_TEXT, "currentColor")
