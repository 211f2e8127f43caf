"""Comparisons of runs: what is found, what is not claimed, and what cannot be compared."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from textseq.errors import UsageError
from textseq.reporting.comparison.comparing import compare
from textseq.reporting.comparison.tables import conclusion, pairs_table, scores_table
from textseq.reporting.facts import Facts
from textseq.rundir import RunDirectory

NAMES = ["a", "b", "c", "d"]


def compared(*paths: Path, score: float | None = None) -> dict[str, Any]:
    found = compare([Facts.read(RunDirectory(path)) for path in paths], score=score)
    return json.loads(json.dumps(found))


def test_seeds_of_one_config_do_not_differ_by_more_than_chance(made_runs: ModuleType, tmp_path: Path) -> None:
    runs = [made_runs.classifier(tmp_path / str(seed), names=NAMES, seed=seed) for seed in range(5)]
    found = compared(*runs)
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == list(combinations("01234", 2))
    assert sum(pair["p"] >= 0.05 for pair in found["pairs"]) >= 9
    assert not [pair for pair in found["pairs"] if pair["significant"]]
    assert all(pair["same_but_seed"] for pair in found["pairs"])
    assert conclusion(found) == "No pair differs by more than chance."


def test_a_better_model_is_found_and_named(made_runs: ModuleType, tmp_path: Path) -> None:
    good = made_runs.classifier(tmp_path / "good", names=NAMES, skill=0.9)
    bad = made_runs.classifier(tmp_path / "bad", names=NAMES, skill=0.7, seed=1, encoder="gru")
    (pair,) = compared(bad, good)["pairs"]
    assert (pair["significant"], pair["better"], pair["same_but_seed"]) == (True, "good", False)
    low, high = pair["differences"]["accuracy"]["interval"]
    assert 0 < low < pair["differences"]["accuracy"]["difference"] < high
    assert pair["only_second_right"] > pair["only_first_right"]
    (other,) = compared(good, bad)["pairs"]
    assert other["better"] == "good"
    assert other["differences"]["accuracy"]["difference"] == -pair["differences"]["accuracy"]["difference"]


def test_a_model_is_set_beside_the_commonest_class(made_runs: ModuleType, tmp_path: Path) -> None:
    good = made_runs.classifier(tmp_path / "good", names=NAMES)
    blind = made_runs.classifier(tmp_path / "blind", names=NAMES, skill=0.25, seed=1)
    first, second = compared(good, blind)["majority"]
    assert (first["better"], second["better"]) == (True, False)
    assert first["accuracy"] == second["accuracy"] < 0.35


def test_language_models_are_compared_in_bits_a_byte(made_runs: ModuleType, tmp_path: Path) -> None:
    first = made_runs.writer(tmp_path / "first", nats=4.0)
    second = made_runs.writer(tmp_path / "second", nats=3.9, seed=1)
    (pair,) = compared(first, second)["pairs"]
    assert (pair["significant"], pair["better"], pair["test"]) == (True, "second", "paired bootstrap")
    expected = -0.1 * 300 / 1200 / math.log(2)
    assert pair["differences"]["bits_per_byte"]["difference"] == pytest.approx(expected, rel=0.1)


def test_other_tokens_are_no_obstacle_but_their_perplexity_is_not_compared(
    made_runs: ModuleType, tmp_path: Path
) -> None:
    first = made_runs.writer(tmp_path / "first")
    second = made_runs.writer(tmp_path / "second", nats=3.5, seed=1, tokenizer="another")
    (pair,) = compared(first, second)["pairs"]
    assert set(pair["differences"]) == {"bits_per_byte"}
    assert pair["better"] == "second"


def test_what_cannot_be_tested_says_why(made_runs: ModuleType, tmp_path: Path) -> None:
    first = made_runs.classifier(tmp_path / "first")
    others = {
        "different texts": made_runs.classifier(tmp_path / "texts", texts="others"),
        "different tasks": made_runs.writer(tmp_path / "writer"),
        "kept no rows": made_runs.classifier(tmp_path / "rowless"),
    }
    (tmp_path / "rowless" / "rows.npz").unlink()
    for reason, other in others.items():
        found = compared(first, other)
        assert reason in found["pairs"][0]["untested"]
        assert reason in conclusion(found)
        assert reason in pairs_table(found).rows[0][-1]
        assert len(scores_table(found).rows) == 3  # the two runs and the commonest class


def test_the_order_of_the_classes_does_not_matter(made_runs: ModuleType, tmp_path: Path) -> None:
    first = made_runs.classifier(tmp_path / "first", names=["x", "y"])
    second = made_runs.classifier(tmp_path / "second", names=["y", "x"])
    assert "different labels" in compared(first, second)["pairs"][0]["untested"]


def test_the_time_to_a_score_is_where_it_was_first_reached(made_runs: ModuleType, tmp_path: Path) -> None:
    fast = made_runs.classifier(tmp_path / "fast", skill=0.9)
    slow = made_runs.classifier(tmp_path / "slow", skill=0.7, seed=1)
    found = compared(fast, slow)
    assert found["goal"] == {"name": "val_accuracy", "value": 0.7}  # the best of the slower, which both reached
    assert [run["seconds_to_goal"] for run in found["runs"]] == [1.0, 2.0]
    assert [run["seconds_to_goal"] for run in compared(fast, slow, score=0.8)["runs"]] == [2.0, None]
    assert [run["steps_to_goal"] for run in compared(fast, slow, score=0.8)["runs"]] == [200, None]


def test_only_settings_that_differ_are_shown(made_runs: ModuleType, tmp_path: Path) -> None:
    first = made_runs.classifier(tmp_path / "first")
    second = made_runs.classifier(tmp_path / "second", seed=1, encoder="gru")
    differences = compared(first, second)["differences"]
    assert differences == {
        "encoder.name": {"first": "lstm", "second": "gru"},
        "seed": {"first": 0, "second": 1},
    }


def test_a_run_that_is_named_twice_or_unfinished_is_refused(made_runs: ModuleType, tmp_path: Path) -> None:
    path = made_runs.classifier(tmp_path / "first")
    with pytest.raises(UsageError, match="named twice"):
        compared(path, path)
    (path / "scores.json").unlink()
    with pytest.raises(UsageError, match="no scores yet"):
        compared(path)
