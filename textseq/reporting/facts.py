"""Everything that a run directory tells a person, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textseq.reporting.history import History, monitored
from textseq.reporting.settings import read_settings
from textseq.rundir import RunDirectory
from textseq.tasks.rows import RowRecord


@dataclass(frozen=True)
class Facts:
    """Everything that a run directory tells.

    Attributes:
        run: The directory.
        settings: Every setting.
        history: How training went.
        scores: By split, and of the training; empty before its end.
        rows: The answers row by row; None for runs that kept none.
    """

    run: RunDirectory
    settings: dict[str, Any]
    history: History
    scores: Mapping[str, Any]
    rows: RowRecord | None

    @classmethod
    def read(cls, run: RunDirectory) -> Facts:
        """Reads the run directory of a finished run, or of one that is still being trained.

        Raises:
            RunDirectoryError: A file is damaged.
        """
        scores = run.read_json(run.scores.name) if run.scores.is_file() else {}
        rows = RowRecord.load(run.rows) if run.rows.is_file() else None
        return cls(run, read_settings(run), History.read(run), scores, rows)

    @property
    def task(self) -> str:
        """The task's name."""
        return str(self.settings.get("task", {}).get("name", ""))

    @property
    def split(self) -> str | None:
        """The split that the report is about: test, or validation where there is none; None before it was scored."""
        return next((name for name in ("test", "validation") if name in self.scores), None)

    @property
    def score(self) -> str | None:
        """The validation score that decided which weights are best, as `val_accuracy`."""
        return monitored(self.history, self.settings.get("training", {}).get("monitor"), self.task)

    def file(self, name: str) -> Any:
        """Returns what a JSON file of the run holds; None where there is none."""
        return self.run.read_json(name) if (self.run.path / name).is_file() else None
