"""Resampled scores: what they are on the rows as they are, how wide they spread, and that pairs are drawn alike."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import f1_score

from textseq.reporting.comparison.resampling import Resamples, resampled, scores
from textseq.rundir import RunDirectory
from textseq.tasks.rows import RowRecord


def record(path: Path) -> RowRecord:
    return RowRecord.load(RunDirectory(path).rows)


def test_scores_are_those_of_the_run(made_runs: ModuleType, tmp_path: Path) -> None:
    for path in (made_runs.classifier(tmp_path / "a", names=list("abcdefg")), made_runs.writer(tmp_path / "b")):
        kept = RunDirectory(path).read_json("scores.json")["test"]
        found = scores(record(path))
        assert found
        assert found == {name: pytest.approx(kept[name], rel=1e-5) for name in found}


def test_accuracy_spreads_as_a_binomial_does(made_runs: ModuleType, tmp_path: Path) -> None:
    rows = record(made_runs.classifier(tmp_path / "a", rows=400))
    accuracy = scores(rows)["accuracy"]
    assert resampled(rows)["accuracy"].std() == pytest.approx(math.sqrt(accuracy * (1 - accuracy) / 400), rel=0.1)


def test_macro_f1_of_a_resample_is_that_of_the_rows_drawn(made_runs: ModuleType, tmp_path: Path) -> None:
    rows = record(made_runs.classifier(tmp_path / "a", names=list("abcd"), rows=50))
    drawn = np.random.default_rng(0).integers(0, 50, (25, 50))[0]
    expected = f1_score(rows.arrays["target"][drawn], rows.arrays["best"][drawn, 0], average="macro")
    assert resampled(rows)["macro_f1"][0] == pytest.approx(expected)


def test_runs_on_the_same_rows_are_drawn_alike(made_runs: ModuleType, tmp_path: Path) -> None:
    one, other = (record(made_runs.writer(tmp_path / str(seed), seed=seed)) for seed in (1, 2))
    first, second = (resampled(each)["bits_per_byte"] for each in (one, other))
    assert (second - first).std() < 0.3 * first.std()  # what makes a text hard is the same for both, and cancels


def test_too_few_rows_have_no_interval(made_runs: ModuleType, tmp_path: Path) -> None:
    assert resampled(record(made_runs.classifier(tmp_path / "a", rows=19))) == {}
    assert resampled(record(made_runs.writer(tmp_path / "b", rows=9))) == {}


def test_each_run_is_resampled_once(made_runs: ModuleType, tmp_path: Path) -> None:
    rows, resamples = record(made_runs.classifier(tmp_path / "a", rows=30)), Resamples()
    assert resamples.of(rows) is resamples.of(rows)
    assert resamples.of(rows) is not resamples.of(rows, by_row=True)
