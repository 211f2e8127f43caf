"""What a classifier gets right and wrong: by class, by certainty, by length, and in single texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from textseq.reporting.answers import confusion, errors_by_length, reliability, right
from textseq.reporting.chart import Chart, Section
from textseq.reporting.charts.certainty import length_chart, reliability_chart
from textseq.reporting.charts.classes import MOST_DRAWN, class_chart, class_table, confusion_chart, pairs_table
from textseq.reporting.facts import Facts
from textseq.reporting.numbers import amount
from textseq.tasks.rows import RowRecord

_MOST_IN_TABLE = 160  # classes of a confusion matrix in numbers
_MISTAKES = 20


def classes(facts: Facts) -> Iterator[Section]:
    """Yields scores by class and confusions, where the run has it."""
    scores = facts.scores.get(facts.split or "", {})
    if not scores.get("per_class"):
        return
    names = list(scores["per_class"])
    matrix = _matrix(facts, scores, names)
    charts = [class_chart(scores["per_class"])]
    tables = [("Every class", class_table(scores["per_class"], matrix, names))]
    if matrix is not None:
        if (pairs := pairs_table(matrix, names)).rows and len(names) > 2:
            charts.append(Chart("The commonest confusions", "", "", pairs))
        if len(names) <= MOST_DRAWN:
            charts.append(confusion_chart(matrix, names))
    grid = (
        {"names": names, "matrix": matrix.tolist()} if matrix is not None and 2 < len(names) <= _MOST_IN_TABLE else None
    )
    says = f"{amount(scores['rows'])} rows of {facts.split}, {len(names)} classes."
    yield Section("classes", "Classes", says, charts, tables, grid)


def _matrix(facts: Facts, scores: Mapping[str, Any], names: list[str]) -> np.ndarray | None:
    if "confusion" in scores:
        return np.array(scores["confusion"]["matrix"], np.int64)
    rows = facts.rows
    known = rows is not None and rows.about["kind"] == "one label" and rows.about["classes"] == names
    return confusion(rows) if known and rows is not None else None


def certainty(facts: Facts) -> Iterator[Section]:
    """Yields how sure the model is, and how long texts fare, where the run has it."""
    rows = facts.rows
    if rows is None or rows.about["kind"] not in ("one label", "several labels") or not len(rows.arrays["length"]):
        return
    charts = [length_chart(errors_by_length(rows))]
    if rows.about["kind"] == "one label":
        charts.insert(0, reliability_chart(reliability(rows)))
    yield Section("certainty", "Certainty and length", charts=charts)


def mistakes(facts: Facts) -> Iterator[Section]:
    """Yields the mistakes that the model was surest of, where the run has it."""
    rows = facts.rows
    if rows is None or not rows.about.get("mistakes"):
        return
    several = rows.about["kind"] == "several labels"
    found = [_several(rows, each) if several else _one(rows, each) for each in rows.about["mistakes"][:_MISTAKES]]
    wrong = int((~right(rows)).sum())
    of_all = f"{amount(wrong)} of {amount(len(rows.arrays['length']))} rows of {rows.about['split']} are wrong"
    says = f"{of_all}; of these the model was surest. Some will be mistakes of the data."
    yield Section("mistakes", "Most confident mistakes", says, content=found)


def _one(rows: RowRecord, mistake: Mapping[str, Any]) -> dict[str, Any]:
    names, row = rows.about["classes"], mistake["row"]
    best, probabilities = rows.arrays["best"][row], rows.arrays["probability"][row]
    target = int(rows.arrays["target"][row])
    guesses = [
        {"name": names[int(number)], "share": float(share), "right": int(number) == target}
        for number, share in zip(best[:3], probabilities[:3], strict=True)
    ]
    if not any(guess["right"] for guess in guesses):
        guesses.append({"name": names[target], "share": float(np.exp(-rows.arrays["loss"][row])), "right": True})
    return {"row": row, "texts": mistake["texts"], "guesses": guesses}


def _several(rows: RowRecord, mistake: Mapping[str, Any]) -> dict[str, Any]:
    hits, predicted, wanted = (int(number) for number in rows.arrays["counts"][mistake["row"]])
    says = f"{hits} of {wanted} labels found, {predicted - hits} given that it has not"
    return {"row": mistake["row"], "texts": mistake["texts"], "guesses": [], "says": says}
