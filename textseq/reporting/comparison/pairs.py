"""Two runs against each other, and a run against the commonest class, on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textseq.reporting.answers import right
from textseq.reporting.comparison.resampling import Resamples, scores
from textseq.reporting.comparison.significance import bootstrap_p, interval, mcnemar
from textseq.tasks.rows import RowRecord


def main_score(kind: str) -> str:
    """Returns the score that decides which of two runs is better, for a kind of rows."""
    return "bits_per_byte" if kind == "language model" else "accuracy"


def why_not(first: RowRecord | None, second: RowRecord | None) -> str | None:
    """Says why two runs cannot be tested against each other; None where they can."""
    if first is None or second is None:
        return "a run kept no rows: textseq evaluate RUN --record"
    if first.about["kind"] != second.about["kind"]:
        return "they are different tasks"
    if first.about["split"] != second.about["split"]:
        return f"one was scored on {first.about['split']}, the other on {second.about['split']}"
    if not np.array_equal(first.arrays["text_hash"], second.arrays["text_hash"]):
        return "they were scored on different texts"
    if not _same_targets(first, second):
        return "their texts have different labels"
    return None


def compare_pair(first: RowRecord, second: RowRecord, resamples: Resamples) -> dict[str, Any]:
    """Returns the difference of each score, second less first, with its interval, and whether it is more than chance.

    Args:
        first: The answers of a run.
        second: Those of another on the same rows.
        resamples: Keeps what was drawn for other pairs.
    """
    if first.about["kind"] == "language model":
        same = first.about["tokenizer"] == second.about["tokenizer"]
        by_row = not (same and np.array_equal(first.arrays["block_row"], second.arrays["block_row"]))
        drawn = [resamples.of(record, by_row=by_row) for record in (first, second)]
        kept = {"bits_per_byte"} if by_row else set(drawn[0])
        return {"differences": _differences(first, second, drawn, kept), "test": "paired bootstrap"}
    drawn = [resamples.of(record) for record in (first, second)]
    only_first, only_second, p_value = mcnemar(right(first), right(second))
    counts = {"only_first_right": only_first, "only_second_right": only_second, "mcnemar_p": p_value}
    return {"differences": _differences(first, second, drawn, set(drawn[0])), "test": "McNemar", **counts}


def against_majority(record: RowRecord, commonest: str) -> dict[str, Any]:
    """Returns how a run does against always giving the commonest class of train.

    Args:
        record: The answers of a run with one label a row.
        commonest: The class.
    """
    always = record.arrays["target"] == list(record.about["classes"]).index(commonest)
    only_majority, only_run, p_value = mcnemar(always, right(record))
    counts = {"only_majority_right": only_majority, "only_run_right": only_run}
    return {"class": commonest, "accuracy": float(always.mean()), "p": p_value, **counts}


def p_value(pair: Mapping[str, Any]) -> float | None:
    """Returns the p-value that decides about a pair; None where it was not tested."""
    if "mcnemar_p" in pair:
        return float(pair["mcnemar_p"])
    found = pair.get("differences", {}).get("bits_per_byte")
    return None if found is None else float(found["bootstrap_p"])


def _differences(
    first: RowRecord, second: RowRecord, drawn: list[dict[str, np.ndarray]], names: set[str]
) -> dict[str, Any]:
    found, before, after = {}, scores(first), scores(second)
    for name in (name for name in drawn[0] if name in names and name in drawn[1]):
        differences, difference = drawn[1][name] - drawn[0][name], after[name] - before[name]
        found[name] = {
            "difference": difference,
            "interval": interval(differences),
            "bootstrap_p": bootstrap_p(differences),
        }
    return found


def _same_targets(first: RowRecord, second: RowRecord) -> bool:
    if first.about["kind"] == "several labels":
        return np.array_equal(first.arrays["counts"][:, 2], second.arrays["counts"][:, 2])
    if first.about["kind"] != "one label":
        return True
    names = [np.array(record.about["classes"])[record.arrays["target"]] for record in (first, second)]
    return np.array_equal(*names)
