"""How a training went."""

from __future__ import annotations

from collections.abc import Iterator

from textseq.reporting.chart import Section
from textseq.reporting.charts.learning import epochs_table, learning_charts
from textseq.reporting.facts import Facts


def learning(facts: Facts) -> Iterator[Section]:
    """Yields the course of the training, where the run has it."""
    training = facts.scores.get("training", {})
    charts = learning_charts(facts.history, facts.score, training.get("kept_epoch"))
    table = epochs_table(facts.history)
    if charts or table:
        tables = [] if table is None else [("Epochs", table)]
        yield Section("learning", "Learning", charts=charts, tables=tables)
