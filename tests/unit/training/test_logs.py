"""What is written down while training: the clock of a run that goes on is one clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from textseq.rundir import RunDirectory
from textseq.training import clock, logs
from textseq.training.clock import Clock
from textseq.training.logs import MetricsLog


class Feed:
    """Counts no tokens."""

    tokens = 0


def test_the_clock_goes_on_where_a_checkpoint_stopped_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock.time, "monotonic", lambda: now)
    monkeypatch.setattr(logs, "synced", lambda model: model)
    monkeypatch.setattr(logs, "current_learning_rate", lambda optimizer: 1.0)

    def begun(run: RunDirectory) -> Any:
        feed: Any = Feed()
        log = MetricsLog(run, feed, Clock(), every=1)
        log.set_model(type("Model", (), {"optimizer": None})())
        log.on_train_begin()
        return log

    run = RunDirectory(tmp_path)
    first = begun(run)
    now += 30.0
    first.on_train_batch_end(0, {"loss": 1.0})
    now += 1.0
    state, seconds = first.state(), first.clock.seconds()
    now += 1000.0  # nobody trains
    second = begun(run)
    second.clock.go_on_from(seconds)
    second.restore(state)
    now += 5.0
    second.on_train_batch_end(1, {"loss": 1.0})
    assert [(line["step"], line["seconds"]) for line in run.read_jsonl("timings.jsonl")] == [(1, 30.0), (2, 36.0)]
