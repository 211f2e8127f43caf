"""A comparison as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from textseq.files import explained, replacing
from textseq.reporting.chart import Chart, Section
from textseq.reporting.charts.comparing import curve_charts, interval_chart
from textseq.reporting.comparison.tables import (
    Comparison,
    conclusion,
    costs_table,
    differences_table,
    majority_table,
    pairs_table,
    scores_table,
)
from textseq.reporting.facts import Facts
from textseq.reporting.page import render, require_extra


def write_comparison(comparison: Comparison, facts: Sequence[Facts], out: Path) -> Path:
    """Writes the page.

    Args:
        comparison: What `compare` returned.
        facts: Of the same runs.
        out: The file to write.

    Raises:
        UsageError: What draws it is not installed.
        RunDirectoryError: It cannot be written.
    """
    require_extra("textseq compare --html")
    names = [run["name"] for run in comparison["runs"]]
    title = f"{len(names)} runs compared" if len(names) > 3 else " · ".join(names)
    page = render(
        "compare.html", list(_sections(comparison, facts)), title=title, about=conclusion(comparison), made=""
    )
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as beside:
        beside.write_text(page, encoding="utf-8")
    return out


def _sections(comparison: Comparison, facts: Sequence[Facts]) -> Iterator[Section]:
    runs, score = comparison["runs"], comparison["score"]
    charts = [interval_chart(runs, score)] if score else []
    charts.append(Chart("Costs", "", "", costs_table(comparison)))
    tables = [("Scores", scores_table(comparison))]
    yield Section("scores", "Scores and costs", f"On {_rows(comparison)}.", charts, tables)
    tests = [("Pairs", pairs_table(comparison))] if comparison["pairs"] else []
    majority = majority_table(comparison)
    tests += [] if majority is None else [("Against the commonest class", majority)]
    says = "Each pair on the same rows: McNemar's exact test for labels, else the paired bootstrap. "
    says += "Corrected are the p-values for how many pairs there are (Holm)."
    if tests:
        yield Section("tests", "More than chance?", says, tables=tests)
    goal = comparison["goal"]
    curves = curve_charts([run["name"] for run in runs], [each.history for each in facts], goal and goal["name"])
    if curves:
        yield Section("curves", "Curves", charts=curves)
    differences = differences_table(comparison)
    says = "" if differences else "In nothing: same settings, same machine."
    yield Section("differences", "What they differ in", says, tables=[("Settings", differences)] if differences else [])


def _rows(comparison: Comparison) -> str:
    found = {(run["rows"], run["split"]) for run in comparison["runs"]}
    return " and ".join(f"{rows:,} rows of {split}" for rows, split in sorted(found, key=str))
