"""A comparison as tables, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textseq.reporting.chart import Table
from textseq.reporting.numbers import amount, brief, percent, probability, score_name, spoken_time
from textseq.reporting.settings import written

Comparison = Mapping[str, Any]
_IN_TABLE = ("accuracy", "macro_f1", "micro_f1", "bits_per_byte", "perplexity", "loss")
_WITH_INTERVALS = ("accuracy", "macro_f1", "bits_per_byte", "perplexity")


def scores_table(comparison: Comparison) -> Table:
    """Returns the scores of each run with their intervals."""
    runs = comparison["runs"]
    names = [name for name in _IN_TABLE if any(name in run["scores"] for run in runs)]
    if "accuracy" in names and all(run["scores"].get("micro_f1") == run["scores"].get("accuracy") for run in runs):
        names = [name for name in names if name != "micro_f1"]
    rows = [[run["name"], *(_score(run, name) for name in names)] for run in runs]
    for entry in comparison["majority"][:1]:
        rows.append([f"always {entry['class']}", f"{entry['accuracy']:.4f}", *([""] * (len(names) - 1))])
    return Table(["run", *(score_name(name) for name in names)], rows, "Scores, with 95 % intervals")


def costs_table(comparison: Comparison) -> Table:
    """Returns what each run cost."""
    goal = comparison["goal"]
    heads = ["run", "weights", "tokens/s", "training"]
    if goal is not None:
        heads += [f"to {score_name(goal['name'].removeprefix('val_'))} {brief(goal['value'])}", "in steps"]
    rows = []
    for run in comparison["runs"]:
        weights, speed = (amount(run[key]) if run[key] is not None else "–" for key in ("weights", "tokens_per_second"))
        row = [run["name"], weights, speed, spoken_time(run["seconds"]) if run["seconds"] is not None else "–"]
        rows.append(row if goal is None else [*row, *_reached(run)])
    return Table(heads, rows, "What each run cost, and when it reached the validation score")


def pairs_table(comparison: Comparison, most: int | None = None) -> Table:
    """Returns the tests of each pair.

    Args:
        comparison: Of the runs.
        most: Pairs at most; the likeliest to differ come first.
    """
    pairs = sorted(comparison["pairs"], key=lambda pair: pair.get("p", 2.0))[:most]
    score = comparison["score"]
    rows = [_pair(pair, score) for pair in pairs]
    heads = [
        "from",
        "to",
        f"{score_name(score or 'accuracy')}, difference",
        "95 %",
        "p",
        "p corrected",
        "more than chance?",
    ]
    return Table(heads, rows, "Every pair on the same test rows", texts=(0, 1, 6))


def majority_table(comparison: Comparison) -> Table | None:
    """Returns each classifier against the commonest class; None where there is none."""
    if not comparison["majority"]:
        return None
    rows = [
        [
            entry["run"],
            entry["class"],
            percent(entry["accuracy"]),
            amount(entry["only_run_right"]),
            amount(entry["only_majority_right"]),
            probability(entry["p_corrected"]),
            "yes" if entry["better"] else "no",
        ]
        for entry in comparison["majority"]
    ]
    heads = ["run", "commonest class", "its accuracy", "only the run right", "only it right", "p corrected", "better?"]
    return Table(heads, rows, "Each run against the commonest class", texts=(0, 1, 6))


def differences_table(comparison: Comparison) -> Table | None:
    """Returns what the runs differ in; None where it is nothing."""
    found = comparison["differences"]
    if not found:
        return None
    names = [run["name"] for run in comparison["runs"]]
    rows = [
        [path, *("–" if values[name] is None else written(values[name]) for name in names)]
        for path, values in found.items()
    ]
    return Table(["setting", *names], rows, "What the runs differ in", texts=tuple(range(len(names) + 1)))


def conclusion(comparison: Comparison) -> str:
    """Returns the comparison in one sentence."""
    tested = [pair for pair in comparison["pairs"] if "p" in pair]
    if not tested:
        reasons: Sequence[str] = sorted({pair["untested"] for pair in comparison["pairs"] if pair.get("untested")})
        return f"No pair was tested: {'; '.join(reasons)}." if reasons else "One run has nothing to be tested against."
    sure = [pair for pair in tested if pair["significant"]]
    count = f"{len(sure)} of {len(tested)} pairs differ" if len(tested) > 1 else "The two differ"
    if not sure:
        return (
            "No pair differs by more than chance." if len(tested) > 1 else "The two do not differ by more than chance."
        )
    return f"{count} by more than chance (p corrected below 0.05)."


def _score(run: Mapping[str, Any], name: str) -> str:
    if name not in run["scores"]:
        return "–"
    ends = run["intervals"].get(name)
    margin = f" ({brief(ends[0])} – {brief(ends[1])})" if ends and name in _WITH_INTERVALS else ""
    return f"{brief(run['scores'][name])}{margin}"


def _reached(run: Mapping[str, Any]) -> list[str]:
    if run["steps_to_goal"] is None:
        return ["never", "–"]
    seconds = run["seconds_to_goal"]
    return ["–" if seconds is None else spoken_time(seconds), amount(run["steps_to_goal"])]


def _pair(pair: Mapping[str, Any], score: str | None) -> list[str]:
    ends = [pair["first"], pair["second"]]
    if "p" not in pair:
        return [*ends, "–", "–", "–", "–", pair.get("untested") or "too few rows"]
    found = pair["differences"].get(score or "", {})
    low, high = found.get("interval", (None, None))
    margin = "–" if low is None else f"{low:+.4f} to {high:+.4f}"
    difference = f"{found['difference']:+.4f}" if "difference" in found else "–"
    verdict = f"yes: {pair['better']} is better" if pair["significant"] else "no"
    if pair["significant"] and pair["same_but_seed"]:
        verdict += ", though only the seed differs"
    return [*ends, difference, margin, probability(pair["p"]), probability(pair["p_corrected"]), verdict]
