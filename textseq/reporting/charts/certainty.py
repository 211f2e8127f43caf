"""Whether a classifier knows what it does not know, and whether long texts are harder for it."""

from __future__ import annotations

from collections.abc import Sequence

from textseq.reporting.answers import Bin
from textseq.reporting.chart import Chart, Table
from textseq.reporting.drawing import QUIET, SERIES, Drawing
from textseq.reporting.numbers import amount, percent


def reliability_chart(bins: Sequence[Bin]) -> Chart:
    """Draws how often the model is right against how sure it is, and how many rows there are at each certainty."""
    drawing = Drawing("reliability")
    rows = sum(each.rows for each in bins)
    middles, widths = [(each.low + each.high) / 2 for each in bins], [each.high - each.low for each in bins]
    drawing.axes.bar(
        middles,
        [each.rows / rows for each in bins],
        [0.94 * width for width in widths],
        color=SERIES[0],
        alpha=0.25,
        label="share of the rows",
    )
    drawing.axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    drawing.axes.errorbar(
        [each.middle for each in bins],
        [each.share for each in bins],
        yerr=_bars(bins),
        color=SERIES[1],
        marker="o",
        capsize=3,
        elinewidth=1.2,
        label="share that is right",
    )
    drawing.axes.set_xlim(0, 1.02)
    drawing.axes.set_ylim(0, 1.02)
    drawing.axes.set_xlabel("probability of the label given")
    drawing.legend(loc="upper left")
    gap = sum(each.rows * abs(each.share - each.middle) for each in bins) / rows
    surer = sum(each.rows * (each.middle - each.share) for each in bins)
    says = f"On average {percent(gap)} apart; the model is {'surer' if surer > 0 else 'less sure'} than it is right."
    cells = [
        [f"{each.low:.1f} – {each.high:.1f}", amount(each.rows), percent(each.middle), percent(each.share)]
        for each in bins
    ]
    table = Table(["probability", "rows", "mean", "right"], cells, "Certainty and how often it is right", texts=())
    return Chart("How sure, how right", says, drawing.svg(f"Reliability diagram. {says}"), table)


def length_chart(bins: Sequence[Bin]) -> Chart:
    """Draws the share of wrong rows against the length of the text."""
    drawing = Drawing("lengths")
    drawing.axes.errorbar(
        [each.middle for each in bins],
        [100 * each.share for each in bins],
        yerr=[[100 * part for part in side] for side in _bars(bins)],
        color=SERIES[4],
        marker="o",
        capsize=3,
        elinewidth=1.2,
    )
    drawing.axes.set_ylim(bottom=0)
    drawing.axes.set_xlim(left=0)
    drawing.axes.set_xlabel("tokens of the text")
    drawing.axes.set_ylabel("wrong, %")
    first, last = bins[0], bins[-1]
    says = f"Wrong are {percent(first.share)} of the shortest and {percent(last.share)} of the longest texts."
    says += " Each point stands for about as many rows; the bars are 95 % intervals."
    cells = [
        [f"{each.low:.0f} – {each.high:.0f}", amount(each.rows), percent(each.share), _interval(each)] for each in bins
    ]
    table = Table(["tokens", "rows", "wrong", "95 %"], cells, "Errors by length", texts=())
    return Chart("Errors by length", says, drawing.svg(f"Share of wrong rows by length. {says}"), table)


def _bars(bins: Sequence[Bin]) -> list[list[float]]:
    lows = [max(each.share - each.interval[0], 0.0) for each in bins]
    return [lows, [max(each.interval[1] - each.share, 0.0) for each in bins]]


def _interval(each: Bin) -> str:
    return f"{100 * each.interval[0]:.1f} – {percent(each.interval[1])}"
