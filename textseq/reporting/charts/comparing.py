"""Several runs in one chart: a score with its interval, and curves over steps and over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textseq.reporting.chart import Chart
from textseq.reporting.charts.learning import plain_ticks
from textseq.reporting.drawing import INK, SERIES, Drawing, columns, shortened
from textseq.reporting.history import History
from textseq.reporting.numbers import score_name

_STROKES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
_LETTER = 6.1  # units of a letter at the size of labels
_MOST_NAMED = 12


def interval_chart(runs: Sequence[Mapping[str, Any]], score: str) -> Chart:
    """Draws a score of each run with its 95 % interval.

    Args:
        runs: As the comparison has them.
        score: Its name.
    """
    names = [shortened(run["name"], 26) for run in runs]
    room = 14 + _LETTER * max(columns(name) for name in names)
    drawing = Drawing("intervals", height=64 + 26 * len(runs), left=room)
    for place, run in zip(range(len(runs))[::-1], runs, strict=True):
        colour, _ = stroke(len(runs) - 1 - place)
        value, ends = run["scores"][score], run["intervals"].get(score)
        if ends:
            drawing.axes.plot(ends, [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
        drawing.axes.plot([value], [place], color=colour, marker="o", markersize=8)
    drawing.axes.set_yticks(range(len(runs))[::-1], names)
    drawing.axes.tick_params(axis="y", length=0, labelcolor=INK)
    drawing.axes.set_ylim(-0.6, len(runs) - 0.4)
    drawing.axes.grid(axis="y", visible=False)
    says = "Each with its 95 % interval over the test rows. Of paired runs the differences below tell more."
    return Chart(score_name(score).capitalize(), says, drawing.svg(f"{score_name(score)} of each run. {says}"))


def curve_charts(names: Sequence[str], histories: Sequence[History], score: str | None) -> list[Chart]:
    """Draws the validation score and the training loss of each run, over steps and over time.

    Args:
        names: Of the runs.
        histories: Of the runs.
        score: The validation score that they have in common.
    """
    charts = []
    kinds = ([(score, score_name(score))] if score else []) + [("loss", "training loss")]
    for key, title in kinds:
        series = [_series(history, key) for history in histories]
        for timed in (False, True):
            chart = _curves(names, histories, series, title, timed=timed)
            charts += [] if chart is None else [chart]
    return charts


def stroke(number: int) -> tuple[str, Any]:
    """Returns the colour and the line style of a run; where colours are used up, strokes tell runs apart."""
    return SERIES[number % len(SERIES)], _STROKES[number // len(SERIES) % len(_STROKES)]


def _series(history: History, key: str) -> list[tuple[int, float]]:
    if key != "loss":
        return history.series(key)
    found = [(line["step"], line["loss"]) for line in history.steps if isinstance(line.get("loss"), float)]
    return found or history.series("loss")


def _curves(
    names: Sequence[str],
    histories: Sequence[History],
    series: Sequence[Sequence[tuple[int, float]]],
    title: str,
    *,
    timed: bool,
) -> Chart | None:
    across = "seconds of training" if timed else "steps"
    drawing = Drawing(f"{title.replace(' ', '-')}-{'time' if timed else 'steps'}")
    drawn = 0
    for number, (name, history, values) in enumerate(zip(names, histories, series, strict=True)):
        points = [(history.seconds_at(step) if timed else step, value) for step, value in values]
        points = [point for point in points if point[0] is not None]
        if points:
            colour, style = stroke(number)
            marker = "o" if len(points) < 3 else None
            drawing.axes.plot(
                *zip(*points, strict=True), color=colour, linestyle=style, marker=marker, label=shortened(name, 22)
            )
            drawn += 1
    if not drawn:
        return None
    if "perplexity" in title:
        drawing.axes.set_yscale("log")
        plain_ticks(drawing.axes.yaxis)
    drawing.axes.set_xlabel(across)
    if drawn <= _MOST_NAMED:
        drawing.legend()
    heading = f"{title.capitalize()} over {'time' if timed else 'steps'}"
    return Chart(heading, "", drawing.svg(f"{heading} of {drawn} runs."))
