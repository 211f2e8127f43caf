"""What a language model pays for tokens, by their place in the text and by how common they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from textseq.reporting.chart import Chart, Table
from textseq.reporting.charts.learning import plain_ticks
from textseq.reporting.drawing import INK, SERIES, Drawing
from textseq.reporting.numbers import amount, brief, percent

Band = Mapping[str, Any]
_ENOUGH = 100  # tokens of a place, below which its point would be noise
_MOST = 700.0  # nats whose exponential is a number


def place_chart(bands: Sequence[Band]) -> Chart:
    """Draws perplexity against how many tokens of the text stand before."""
    common = [band for band in bands if band["tokens"] >= _ENOUGH] or bands
    drawing = Drawing("places")
    middles = [math.sqrt(band["from"] * (band["to"] or band["from"])) for band in common]
    drawing.axes.plot(middles, [_perplexity(band) for band in common], color=SERIES[0], marker="o")
    drawing.axes.set_xscale("log", base=2)
    drawing.axes.set_yscale("log")
    plain_ticks(drawing.axes.xaxis)
    plain_ticks(drawing.axes.yaxis)
    drawing.axes.set_xlabel("place of the token in its text")
    drawing.axes.set_ylabel("perplexity")
    first, last = brief(_perplexity(common[0])), brief(_perplexity(common[-1]))
    says = f"{first} at the first token, {last} at the last places; it falls where what was read before is of use."
    rows = [[span(band), amount(band["tokens"]), brief(_perplexity(band))] for band in bands]
    table = Table(["place", "tokens", "perplexity"], rows, "Perplexity by place in the text", texts=())
    return Chart("Perplexity by place", says, drawing.svg(f"Perplexity by place in the text. {says}"), table)


def frequency_chart(bands: Sequence[Band], unknown: Band, end: Band) -> Chart:
    """Draws perplexity by how often the token stands in train, and each band's share of all that is paid."""
    named = [(_seen(band), band) for band in bands]
    named += [(name, band) for name, band in (("unknown token", unknown), ("end of text", end)) if band["tokens"]]
    nats = sum(band["nats"] for _, band in named) or 1.0
    drawing = Drawing("frequencies", height=70 + 30 * len(named), left=112, right=70)
    places = list(range(len(named)))[::-1]
    values = [_perplexity(band) for _, band in named]
    drawing.axes.barh(places, values, height=0.62, color=SERIES[2], alpha=0.5)
    for place, value in zip(places, values, strict=True):
        drawing.axes.text(value * 1.06, place, brief(value), va="center", color=INK, fontsize=11)
    drawing.axes.set_xscale("log")
    drawing.axes.set_xlim(left=1)
    plain_ticks(drawing.axes.xaxis)
    drawing.axes.xaxis.set_minor_formatter(lambda value, _: "")
    drawing.axes.set_yticks(places, [name for name, _ in named])
    drawing.axes.tick_params(axis="y", length=0, labelcolor=INK)
    drawing.axes.grid(axis="y", visible=False)
    drawing.axes.set_xlabel("perplexity")
    dearest, band = max(named, key=lambda item: item[1]["nats"])
    says = (
        f"Tokens by how often train has them. Most of the loss, {percent(band['nats'] / nats)}, is paid for: {dearest}."
    )
    rows = [
        [name, amount(each["tokens"]), brief(_perplexity(each)), percent(each["nats"] / nats)] for name, each in named
    ]
    heads = ["times in train", "tokens", "perplexity", "of the loss"]
    table = Table(heads, rows, "Perplexity by how common the token is")
    return Chart("Perplexity by frequency", says, drawing.svg(f"Perplexity by frequency. {says}"), table)


def span(band: Band) -> str:
    """Returns a band's first and last place or count."""
    first, last = band["from"], band["to"]
    if last is None:
        return f"{amount(first)} and more"
    return amount(first) if first == last else f"{amount(first)} – {amount(last)}"


def _seen(band: Band) -> str:
    return "never" if band["to"] == 0 else span(band)


def _perplexity(band: Band) -> float:
    return math.exp(min(band["nats"] / max(band["tokens"], 1), _MOST))
