"""What `textseq probe` found, as tables and charts for the terminal and as pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from textseq.cli.plotting import Drawn, plot
from textseq.cli.tables import render
from textseq.pages.charts import Line, heat_map, line_chart
from textseq.pages.page import Section, table, write_page

_LEAST = 1e-12  # lower gradients are not drawn; the tables have them
_SYMBOLS = {"output": "‖∂L/∂h‖", "state": "‖∂L/∂(h, …)‖", "input": "‖∂L/∂x‖"}
_BARS = " ▁▂▃▄▅▆▇█"
_READ_MOST = 3


def reach_text(found: Sequence[Any], wanted: str, length: int) -> str:
    """Returns the chart and the table of `textseq probe gradients`."""
    drawn = [
        Drawn(one.label, curve.distances.tolist(), curve.relative.tolist())
        for one in found
        for curve in (one.curves[one.best(wanted)],)
    ]
    columns, rows = _reach_rows(found, wanted, length)
    shown = Table(*columns)
    for row in rows:
        shown.add_row(*row)
    return f"{plot(drawn, across='steps back from the loss', least=_LEAST)}\n\n{render(shown)}"


def reach_page(path: Path, found: Sequence[Any], wanted: str, length: int) -> None:
    """Writes the page of `textseq probe gradients`."""
    lines = [
        Line(one.label, curve.distances, curve.relative) for one in found for curve in (one.curves[one.best(wanted)],)
    ]
    chart = line_chart(lines, across="steps back from the loss", up="norm, relative", logarithmic=True, least=_LEAST)
    columns, rows = _reach_rows(found, wanted, length)
    note = (
        "The norm of the loss's gradient with respect to what the encoder held so many steps before the loss, as a "
        "multiple of that at the loss itself. A straight line is a memory that fades by a constant factor a step."
    )
    numbers = "Half-length: the steps within which half of all that reaches back from the last step lies."
    sections = [Section("Reach", note, chart), Section("In numbers", numbers, table(columns, rows))]
    write_page(path, f"How far the gradient reaches back, over {length:,} steps", sections)


def _reach_rows(found: Sequence[Any], wanted: str, length: int) -> tuple[list[str], list[list[str]]]:
    places = [place for place in (10, 100, 400) if place < length - 1] + [length - 1]
    columns = ["encoder", "of", "half-length", *(f"{place:,} back" for place in places)]
    rows = []
    for one in found:
        name = one.best(wanted)
        curve = one.curves[name]
        half = "–" if math.isnan(curve.half_length) else f"{curve.half_length:,.1f}"
        rows.append([one.label, _SYMBOLS[name], half, *(f"{curve.at(place) or 0:.1e}" for place in places)])
    return columns, rows


def attempts_table(found: Sequence[Any]) -> str:
    """Returns the table of `textseq probe memory`."""
    shown = Table("problem", "encoder", "solved", "steps", "seconds", "best score", "no memory scores")
    for one in found:
        steps = f"{one.steps:,}" if one.solved else f"not in {one.steps:,}"
        scores = (f"{one.best:.4f}", f"{one.trivial:.4f}")
        shown.add_row(one.problem, one.encoder, "yes" if one.solved else "no", steps, f"{one.seconds:,.0f}", *scores)
    return render(shown)


def inner_text(tokens: Sequence[str], layers: Sequence[Any]) -> str:
    """Returns a table a layer: means of gates and cells at each token, or what each token attends to."""
    return "\n\n".join(
        f"{layer.layer}\n{_steps(tokens, layer) if layer.kind == 'steps' else _attention(tokens, layer)}"
        for layer in layers
    )


def inner_page(path: Path, text: str, tokens: Sequence[str], layers: Sequence[Any]) -> None:
    """Writes the page of `textseq probe gates`: a field of colours for each gate, or for each head."""
    sections = []
    for layer in layers:
        for name, array in layer.arrays.items():
            if layer.kind == "steps":
                signed = bool(array.min(initial=0.0) < 0)
                note = "A column a token, a row a unit."
                html = heat_map(array.T, across=tokens, up="unit", signed=signed)
                sections.append(Section(f"{layer.layer}: {name}", note, html))
                continue
            for head, weights in enumerate(array):
                note = "A row a token that looks, a column a token that is looked at."
                html = heat_map(weights, across=tokens, up="", signed=False, rows=tokens)
                sections.append(Section(f"{layer.layer}: {name} of head {head + 1}", note, html))
    write_page(path, text, sections)


def _steps(tokens: Sequence[str], layer: Any) -> str:
    means = layer.by_token()
    names = [f"|{name}|" if array.min(initial=0.0) < 0 else name for name, array in layer.arrays.items()]
    shown = Table("token", *names)
    for place, token in enumerate(tokens):
        shown.add_row(token.strip() or "␣", *(f"{_bar(mean[place])} {mean[place]:.2f}" for mean in means.values()))
    return render(shown)


def _attention(tokens: Sequence[str], layer: Any) -> str:
    shown = Table("token", "looks at, by the mean over heads")
    for weights in layer.arrays.values():
        mean = weights.mean(0)  # (queries, keys)
        for place, token in enumerate(tokens):
            most = np.argsort(-mean[place], kind="stable")[:_READ_MOST]
            looks = "  ".join(f"{tokens[other].strip() or '␣'} {mean[place, other]:.2f}" for other in most)
            shown.add_row(token.strip() or "␣", looks)
    return render(shown)


def _bar(value: float) -> str:
    return _BARS[round(min(max(float(value), 0.0), 1.0) * (len(_BARS) - 1))]
