"""A training's course, also of one that was interrupted and went on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from textseq.reporting.history import History, lower_is_better, monitored
from textseq.rundir import RunDirectory


def test_the_clock_stands_between_two_moments(made_runs: ModuleType, tmp_path: Path) -> None:
    history = History.read(RunDirectory(made_runs.classifier(tmp_path / "run", skill=0.75)))
    assert [history.seconds_at(step) for step in (0, 25, 120, 300, 999)] == [0, 0.25, 1.2, 3, 3]
    assert history.best("val_accuracy") == (200, 0.75)
    assert history.reached("val_accuracy", 0.7) == 200
    assert history.reached("val_accuracy", 0.9) is None
    assert history.reached("val_loss", 1.3) == 200
    assert History().seconds_at(1) is None


def test_a_training_that_went_on_has_one_clock_and_one_line_a_step(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for step, seconds in ((10, 1.0), (20, 2.0), (30, 3.0), (20, 0.5), (30, 1.5), (40, 2.5)):
        run.append_jsonl("metrics.jsonl", {"step": step, "loss": seconds})
        run.append_jsonl("timings.jsonl", {"step": step, "seconds": seconds, "tokens_per_second": 1.0})
    history = History.read(run)
    assert [(line["step"], line["loss"]) for line in history.steps] == [(10, 1.0), (20, 0.5), (30, 1.5), (40, 2.5)]
    assert [(each.step, each.seconds) for each in history.moments] == [(10, 1.0), (20, 1.5), (30, 2.5), (40, 3.5)]


def test_an_epochs_score_and_a_step_at_the_same_place_are_both_kept(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.append_jsonl("timings.jsonl", {"step": 50, "seconds": 5.0, "tokens_per_second": 9.0})
    run.append_jsonl("timings.jsonl", {"step": 50, "seconds": 7.0, "tokens_per_second": 1.0, "epoch": 1})
    assert [each.scoring for each in History.read(run).moments] == [False, True]


def test_the_score_that_counts_is_what_the_config_monitors(made_runs: ModuleType, tmp_path: Path) -> None:
    history = History.read(RunDirectory(made_runs.classifier(tmp_path / "run")))
    assert monitored(history, None, "classification") == "val_accuracy"
    assert monitored(history, "loss", "classification") == "val_loss"
    assert monitored(history, None, "another") == "val_loss"
    assert monitored(History(), None, "classification") is None
    assert [lower_is_better(name) for name in ("val_perplexity", "bits_per_byte", "macro_f1")] == [True, True, False]
