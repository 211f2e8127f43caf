"""Which epoch's weights are the best, whatever the scores are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from textseq.rundir import RunDirectory
from textseq.training.callbacks import Validation


class Model:
    """Writes down the epoch as its weights."""

    optimizer = None
    epoch = 0

    def save_weights(self, path: Path) -> None:
        path.write_text(str(self.epoch))


class Task:
    """Has prepared scores."""

    monitor_mode = "min"

    def __init__(self, monitor: str, values: list[float]) -> None:
        self.monitor, self.values = monitor, iter(values)

    def evaluate(self, *arguments: Any) -> dict[str, float]:
        return {self.monitor: next(self.values)}


class Prepared:
    """Nothing that a prepared score needs."""

    splits = {"validation": None}  # noqa: RUF012


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([3.0, 2.0, 2.5], 2),
        ([3.0, 3.0, 3.0], 1),  # of equals the first
        ([math.nan, 5.0, 6.0], 2),
        ([5.0, math.nan, 4.0], 3),
        ([math.nan, math.nan], 1),
        ([math.inf, 9.0], 2),
    ],
)
def test_the_least_cost_is_the_best_and_any_number_beats_none(values: list[float], best: int, tmp_path: Path) -> None:
    task: Any = Task("cost", values)
    prepared: Any = Prepared()
    validation = Validation(task, prepared, RunDirectory(tmp_path))
    model: Any = Model()
    validation.set_model(model)
    for epoch in range(len(values)):
        model.epoch = epoch + 1
        validation.on_epoch_end(epoch)
    assert validation.best_epoch == validation.kept_epoch == best
    assert (tmp_path / "model.weights.h5").read_text() == str(best)
