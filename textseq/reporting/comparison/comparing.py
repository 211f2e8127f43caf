"""The whole comparison of several runs, as one JSON-serialisable object that the terminal and the page show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from textseq.config.differences import flat
from textseq.errors import UsageError, problem
from textseq.reporting.comparison.pairs import against_majority, compare_pair, main_score, p_value, why_not
from textseq.reporting.comparison.resampling import Resamples, scores
from textseq.reporting.comparison.significance import holm, interval
from textseq.reporting.facts import Facts
from textseq.reporting.history import lower_is_better

SIGNIFICANT = 0.05
_SHOWN = ("accuracy", "macro_f1", "micro_f1", "loss", "perplexity", "bits_per_byte", "bits_per_character")
_MACHINE_PATH = "machine."
_MACHINE = ("backend", "platform", "processors", "python")


def compare(facts: Sequence[Facts], *, score: float | None = None) -> dict[str, Any]:
    """Compares runs.

    Args:
        facts: Of each run, all of them with scores.
        score: The validation score to which the time is taken; the best that every run reached where None.

    Returns:
        `runs`, `pairs`, `majority`, `differences`, and the score that decides.

    Raises:
        UsageError: A run is named twice, or has no scores yet.
    """
    names = display_names([each.run.path for each in facts])
    for name, each in zip(names, facts, strict=True):
        if each.split is None:
            way_out = "Let its training end, or leave it out"
            raise UsageError(problem(str(each.run.path), "the run has no scores yet", way_out=way_out))
        if names.count(name) > 1:
            raise UsageError(problem("RUN", "is named twice", received=str(each.run.path)))
    goal = _goal(facts, score)
    resamples = Resamples()
    runs = [_run(name, each, goal, resamples) for name, each in zip(names, facts, strict=True)]
    kinds = {each.rows.about["kind"] for each in facts if each.rows is not None}
    main = main_score(kinds.pop()) if len(kinds) == 1 else None
    return {
        "score": main,
        "runs": runs,
        "goal": goal,
        "pairs": _pairs(names, facts, resamples),
        "majority": _majority(names, facts),
        "differences": differences(names, facts),
    }


def display_names(paths: Sequence[Path]) -> list[str]:
    """Returns a name for each run: the last part of its path where these differ, else the path."""
    last = [path.resolve().name for path in paths]
    return [name if last.count(name) == 1 else str(path) for name, path in zip(last, paths, strict=True)]


def differences(names: Sequence[str], facts: Sequence[Facts]) -> dict[str, dict[str, Any]]:
    """Returns the settings, and the traits of machines, in which the runs differ: by path, the value of each run."""
    values = []
    for each in facts:
        machine = each.file(each.run.environment.name) or {}
        settings = {path: value for path, value in flat(each.settings).items() if path != "name"}
        values.append(settings | {f"{_MACHINE_PATH}{key}": machine.get(key) for key in _MACHINE})
    paths = list(dict.fromkeys(path for each in values for path in each))
    sections = list(dict.fromkeys(path.partition(".")[0] for path in paths))
    paths.sort(key=lambda path: sections.index(path.partition(".")[0]))
    found = {path: [each.get(path) for each in values] for path in paths}
    return {
        path: dict(zip(names, row, strict=True)) for path, row in found.items() if any(cell != row[0] for cell in row)
    }


def _run(name: str, facts: Facts, goal: Mapping[str, Any] | None, resamples: Resamples) -> dict[str, Any]:
    kept = facts.scores.get(facts.split or "", {})
    values = {key: kept[key] for key in _SHOWN if isinstance(kept.get(key), float)}
    intervals = {}
    if facts.rows is not None and facts.rows.about["split"] == facts.split:
        values |= scores(facts.rows)
        intervals = {key: interval(drawn) for key, drawn in resamples.of(facts.rows).items()}
    training = facts.scores.get("training", {})
    step = None if goal is None else facts.history.reached(goal["name"], goal["value"])
    return {
        "name": name,
        "path": str(facts.run.path),
        "split": facts.split,
        "rows": kept.get("rows"),
        "scores": values,
        "intervals": intervals,
        "weights": training.get("weights"),
        "seconds": training.get("seconds"),
        "tokens_per_second": training.get("tokens_per_second"),
        "steps_to_goal": step,
        "seconds_to_goal": None if step is None else facts.history.seconds_at(step),
    }


def _goal(facts: Sequence[Facts], score: float | None) -> dict[str, Any] | None:
    """Returns the validation score to which the time is taken; None where the runs have none in common."""
    names = {each.score for each in facts}
    name = names.pop() if len(names) == 1 else None
    if name is None:
        return None
    best = [found[1] for each in facts if (found := each.history.best(name)) is not None]
    if score is None and best:
        score = max(best) if lower_is_better(name) else min(best)
    return None if score is None else {"name": name, "value": score}


def _pairs(names: Sequence[str], facts: Sequence[Facts], resamples: Resamples) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = []
    for first, second in combinations(range(len(facts)), 2):
        pair: dict[str, Any] = {"first": names[first], "second": names[second]}
        between = differences(("first", "second"), (facts[first], facts[second]))
        pair["same_but_seed"] = all(path == "seed" or path.startswith(_MACHINE_PATH) for path in between)
        rows = facts[first].rows, facts[second].rows
        reason = why_not(*rows)
        if reason is not None or rows[0] is None or rows[1] is None:
            pairs.append(pair | {"untested": reason})
            continue
        pair |= compare_pair(rows[0], rows[1], resamples)
        pairs.append(pair)
    tested = [pair for pair in pairs if p_value(pair) is not None]
    corrected = holm([p_value(pair) or 0.0 for pair in tested])
    for pair, p_corrected in zip(tested, corrected, strict=True):
        pair |= {"p": p_value(pair), "p_corrected": p_corrected, "significant": p_corrected < SIGNIFICANT}
        pair["better"] = _better(pair) if pair["significant"] else None
    return pairs


def _better(pair: Mapping[str, Any]) -> str:
    if "mcnemar_p" in pair:
        return str(pair["second"] if pair["only_second_right"] > pair["only_first_right"] else pair["first"])
    return str(pair["second"] if pair["differences"]["bits_per_byte"]["difference"] < 0 else pair["first"])


def _majority(names: Sequence[str], facts: Sequence[Facts]) -> list[dict[str, Any]]:
    """Returns each classifier against the commonest class of its train split."""
    found = []
    for name, each in zip(names, facts, strict=True):
        classes = (each.file(each.run.audit.name) or {}).get("classes")
        if each.rows is None or each.rows.about["kind"] != "one label" or not classes:
            continue
        found.append({"run": name, **against_majority(each.rows, classes["largest"][0])})
    for entry, p_corrected in zip(found, holm([entry["p"] for entry in found]), strict=True):
        better = entry["only_run_right"] > entry["only_majority_right"]
        entry |= {"p_corrected": p_corrected, "better": better and p_corrected < SIGNIFICANT}
    return found
