"""What a language model pays for tokens, and what it writes."""

from __future__ import annotations

from collections.abc import Iterator

from textseq.reporting.chart import Section
from textseq.reporting.charts.language import frequency_chart, place_chart
from textseq.reporting.facts import Facts
from textseq.reporting.numbers import amount


def tokens(facts: Facts) -> Iterator[Section]:
    """Yields what tokens cost, where the run has it."""
    rows = facts.rows
    if rows is None or rows.about["kind"] != "language model":
        return
    about = rows.about
    charts = []
    if about["by_count"]:
        charts.append(frequency_chart(about["by_count"], about["unknown"], about["end"]))
    if len(about["by_place"]) > 1:
        charts.append(place_chart(about["by_place"]))
    says = f"{amount(rows.arrays['block_tokens'].sum())} tokens of {about['split']}."
    yield Section("tokens", "What tokens cost", says, charts)


def samples(facts: Facts) -> Iterator[Section]:
    """Yields what the model writes, where the run has it."""
    samples = facts.file(facts.run.samples.name)
    if samples:
        yield Section(
            "samples",
            "What it writes",
            "Beginnings of texts that it has not seen, and how it goes on.",
            content=samples,
        )
