"""What probes and explanations found, in numbers; for the terminal as for pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from textseq.explaining.explanation import Explanation
from textseq.probing.inner import Inner
from textseq.probing.memory import Attempt
from textseq.probing.reach import Reach
from textseq.reporting.chart import Table

_SYMBOLS = {"output": "‖∂L/∂h‖", "state": "‖∂L/∂(h, …)‖", "input": "‖∂L/∂x‖"}
_PLACES = (10, 100, 400)
_BARS = " ▁▂▃▄▅▆▇█"
_MOST_LOOKED_AT = 3


def reach_table(found: Sequence[Reach], wanted: str, length: int) -> Table:
    """Returns each encoder's half-length, and what is left of the gradient at some distances."""
    places = [*(place for place in _PLACES if place < length - 1), length - 1]
    rows = []
    for one in found:
        name = one.best(wanted)
        curve = one.curves[name]
        half = "–" if math.isnan(curve.half_length) else f"{curve.half_length:,.1f}"
        left = [f"{value:.1e}" if (value := curve.at(place)) else "0" for place in places]
        rows.append([one.label, _SYMBOLS[name], half, *left])
    heads = ["encoder", "of", "half-length", *(f"{place:,} back" for place in places)]
    return Table(heads, rows, "How far the gradient reaches back", texts=(0, 1))


def attempts_table(found: Sequence[Attempt]) -> Table:
    """Returns a row for each encoder and problem."""
    rows = [
        [
            one.problem,
            one.encoder,
            "yes" if one.solved else "no",
            f"{one.steps:,}" if one.solved else f"not in {one.steps:,}",
            f"{one.seconds:,.0f}",
            f"{one.best:.4f}",
            f"{one.trivial:.4f}",
        ]
        for one in found
    ]
    heads = ["problem", "encoder", "solved", "steps", "seconds", "best score", "without memory"]
    return Table(heads, rows, "What encoders learned to remember", texts=(0, 1, 2))


def inner_table(layer: Inner, tokens: Sequence[str]) -> Table:
    """Returns the means of gates and cells at each token, or what each token looks at."""
    if layer.kind == "attention":
        rows = [[said(token), *_looked_at(layer, tokens, place)] for place, token in enumerate(tokens)]
        return Table(["token", "looks at, by the mean over heads"], rows, layer.layer, texts=(0, 1))
    means = layer.by_token()
    names = [f"|{name}|" if array.min(initial=0.0) < 0 else name for name, array in layer.arrays.items()]
    rows = [
        [said(token), *(f"{_bar(mean[place])} {mean[place]:.2f}" for mean in means.values())]
        for place, token in enumerate(tokens)
    ]
    return Table(["token", *names], rows, f"{layer.layer}, means over units")


def explanation_table(found: Explanation) -> Table:
    """Returns the tokens in the order of what they did."""
    values = found.attributions.values
    order = np.argsort(-np.abs(values), kind="stable")
    rows = [[said(found.tokens[place]), f"{values[place]:+.3f}", _strokes(found.shares[place])] for place in order]
    return Table(["token", "log-odds", ""], rows, "What each token added to the label", texts=(0, 2))


def explanation_sentence(found: Explanation) -> str:
    """Says what was explained, and how well its parts add up to it."""
    parts = found.attributions
    return (
        f"{found.label} {found.probability:.3f}: log-odds {parts.output:+.2f}, of a text of unknown tokens "
        f"{parts.baseline:+.2f}; the parts add up to within {parts.completeness_error:.2%}."
    )


def said(token: str) -> str:
    """Returns a token as a label: a space alone can be seen."""
    return token.strip() or "␣"


def _looked_at(layer: Inner, tokens: Sequence[str], place: int) -> list[str]:
    found: list[Any] = []
    for weights in layer.arrays.values():
        mean = weights.mean(0)[place]  # over heads
        most = np.argsort(-mean, kind="stable")[:_MOST_LOOKED_AT]
        found.append("  ".join(f"{said(tokens[other])} {mean[other]:.2f}" for other in most))
    return found


def _bar(value: float) -> str:
    return _BARS[round(min(max(float(value), 0.0), 1.0) * (len(_BARS) - 1))]


def _strokes(share: float) -> str:
    return ("+" if share >= 0 else "-") * round(abs(float(share)) * 20)
