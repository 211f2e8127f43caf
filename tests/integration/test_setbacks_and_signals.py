"""Trainings that diverge, and trainings that are told to end; through the command line, in this process."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killed_runs import differing, what_a_run_ends_with

from textseq.cli import main
from textseq.rundir import RunDirectory
from textseq.tasks.classification import Classification
from textseq.training.checkpoints import sealed
from textseq.training.checkpoints.folder import Checkpoints
from textseq.training.divergence import DivergedError, DivergenceGuard
from textseq.training.logs import MetricsLog
from textseq.training.optimizers import current_learning_rate

SETTINGS = ("training.epochs=2", "training.log_every=1", "training.checkpoint_every=5")
STEPS = 13  # of an epoch
RATE = 2e-2


@pytest.fixture
def textseq(topics_config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Trains in a run directory and returns what is said on stderr."""

    def run(directory: Path, *settings: str, code: int = 0) -> str:
        more = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
        with pytest.raises(SystemExit) as ended:
            main(["train", str(topics_config), "--run-dir", str(directory), "--no-report", "--resume", *more])
        errors = capsys.readouterr().err
        assert ended.value.code == code, errors
        return errors

    return run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def last_checkpoint(run: Path) -> Any:
    found = Checkpoints(RunDirectory(run)).latest([].append)
    assert found is not None
    return found.about


@pytest.fixture
def diverging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the second epoch's fourth step diverge at the full learning rate."""
    whole = DivergenceGuard.on_train_batch_end

    def look(self: DivergenceGuard, batch: int, logs: Any = None) -> None:
        whole(self, batch, logs)
        if (self._epoch, batch) == (1, 3) and current_learning_rate(self.model.optimizer) > 0.4 * RATE:
            raise DivergedError("the loss is no longer a number", epoch=1, step=3, loss=float("nan"))

    monkeypatch.setattr(DivergenceGuard, "on_train_batch_end", look)


@pytest.mark.usefixtures("diverging")
def test_a_training_that_diverges_goes_back_and_on_at_lower_rates(tmp_path: Path, textseq: Callable[..., str]) -> None:
    said = textseq(tmp_path / "run")
    assert "Back at step 15, with 0.5 times the learning rate." in said
    first, second = lines(tmp_path / "run" / "setbacks.jsonl")
    assert (first["step"], first["epoch"], first["went_back_to"]) == (STEPS + 4, 2, 15)
    assert (first["learning_rate_times"], second["learning_rate_times"]) == (0.5, 0.25)
    assert len(set(first["rows"])) == 32
    assert first["rows"] == second["rows"]
    steps = [line for line in lines(tmp_path / "run" / "metrics.jsonl") if "epoch" not in line]
    assert [line["step"] for line in steps] == list(range(1, 2 * STEPS + 1))
    rates = [line["learning_rate"] for line in steps]
    assert rates[:15] == pytest.approx([RATE] * 15)
    assert rates[15:] == pytest.approx([RATE / 4] * (2 * STEPS - 15))


@pytest.mark.usefixtures("diverging")
def test_a_schedule_is_lowered_as_a_whole_and_a_cut_changes_nothing(
    tmp_path: Path, textseq: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cosine = "training.schedule={name: cosine, final: 0.9}"
    textseq(tmp_path / "whole", cosine)
    steps = [line for line in lines(tmp_path / "whole" / "metrics.jsonl") if "epoch" not in line]
    assert steps[14]["learning_rate"] > 0.9 * RATE
    assert steps[15]["learning_rate"] < 0.26 * RATE
    with monkeypatch.context() as patch:
        kill_at(STEPS + 6, signal.SIGTERM, patch)
        assert "Stopped." in textseq(tmp_path / "cut", cosine, code=143)
    textseq(tmp_path / "cut", cosine)
    assert differing(what_a_run_ends_with(tmp_path / "whole"), what_a_run_ends_with(tmp_path / "cut")) == []


@pytest.mark.usefixtures("diverging")
def test_a_cut_while_going_back_leaves_no_checkpoint_whose_lines_are_gone(
    tmp_path: Path, textseq: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    often = "training.checkpoint_minutes=1e-9"  # step 16 is saved too, and not what training goes back to
    put_back = Checkpoints.put_back

    def cut(self: Checkpoints, checkpoint: Any) -> None:
        put_back(self, checkpoint)
        raise OSError("the machine fails")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "put_back", cut)
        textseq(tmp_path / "cut", often, code=1)
    assert last_checkpoint(tmp_path / "cut")["step"] == lines(tmp_path / "cut" / "metrics.jsonl")[-1]["step"] == 15
    textseq(tmp_path / "cut", often)
    rates = [line["learning_rate_times"] for line in lines(tmp_path / "cut" / "setbacks.jsonl")]
    assert rates == [0.5, 0.25]  # the one that was cut off stands there once


def kill_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends this process a signal when so many steps are done."""
    whole = MetricsLog.on_train_batch_end

    def log(self: MetricsLog, batch: int, logs: Any = None) -> None:
        whole(self, batch, logs)
        if self._step == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(MetricsLog, "on_train_batch_end", log)


def test_a_signal_ends_the_step_and_the_scoring_and_nothing_is_lost(
    tmp_path: Path, textseq: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    textseq(tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_at(7, signal.SIGTERM, patch)
        said = textseq(tmp_path / "cut", code=143)
    assert "SIGTERM: ending after this step." in said
    assert "go on with the same command and --resume" in said
    assert last_checkpoint(tmp_path / "cut")["step"] == 7
    evaluate = Classification.evaluate

    def interrupted(self: Classification, *arguments: Any) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGINT)
        return evaluate(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Classification, "evaluate", interrupted)
        textseq(tmp_path / "cut", code=130)
    about = last_checkpoint(tmp_path / "cut")
    assert (about["epoch"], about["step_of_epoch"]) == (0, STEPS)
    assert about["parts"]["validation"]["best_epoch"] == 0
    textseq(tmp_path / "cut")
    assert differing(what_a_run_ends_with(tmp_path / "whole"), what_a_run_ends_with(tmp_path / "cut")) == []


def test_a_disk_that_fills_up_leaves_a_run_that_goes_on(
    tmp_path: Path, textseq: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sealed._opened

    def full(path: Path) -> Any:
        if path.name.endswith("10"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path)

    with monkeypatch.context() as patch:
        patch.setattr(sealed, "_opened", full)
        said = textseq(tmp_path / "run", code=1)
    assert "step-000000000010: cannot be written, for the disk is full" in said
    assert "go on with --resume" in said
    assert last_checkpoint(tmp_path / "run")["step"] == 5
    textseq(tmp_path / "run")
    assert (tmp_path / "run" / "scores.json").is_file()
