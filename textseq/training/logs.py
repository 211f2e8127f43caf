"""What a run writes down, and shows, as it trains."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any, Protocol

import keras

from textseq.files import explained
from textseq.rundir import RunDirectory
from textseq.training.checkpoints.state import synced
from textseq.training.clock import Clock
from textseq.training.feeding import Feed
from textseq.training.memory import accelerator_bytes, resident_bytes
from textseq.training.optimizers import current_learning_rate


class Reporter(Protocol):
    """Shows a person how far training is."""

    def begin(self, *, epochs: int, steps: int) -> None:
        """Training starts: so many epochs of so many steps."""

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """A step is done; both count from 1. The loss is given every few steps only."""

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """An epoch is done and scored."""

    def end(self) -> None:
        """Training is over, well or not."""


class MetricsLog(keras.callbacks.Callback):
    """Writes `metrics.jsonl` (what training computed) and `timings.jsonl` (how long it took) in the run directory.

    Two files, since the first is the same each time the same run is made, and the second never is.

    Args:
        run: The run directory.
        feed: Counts tokens.
        clock: Counts seconds.
        every: Steps between two lines.
    """

    def __init__(self, run: RunDirectory, feed: Feed, clock: Clock, every: int) -> None:
        super().__init__()
        self.run, self.feed, self.clock, self.every = run, feed, clock, every
        self._step = 0
        self._last: tuple[float, int] = (0.0, 0)

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of it."""
        return {"step": self._step}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self._step = state["step"]
        self._last = (self.clock.seconds(), self.feed.tokens)

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes when the first step begins."""
        self._last = (self.clock.seconds(), self.feed.tokens)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes a line every so many steps."""
        self._step += 1
        if self._step % self.every == 0:
            loss = float((logs or {}).get("loss", math.nan))
            rate = current_learning_rate(synced(self.model).optimizer)
            self.run.append_jsonl("metrics.jsonl", {"step": self._step, "loss": loss, "learning_rate": rate})
            self._time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's scores."""
        scores = {name: float(value) for name, value in (logs or {}).items()}
        self.run.append_jsonl("metrics.jsonl", {"step": self._step, "epoch": epoch + 1, **scores})
        self._time(epoch=epoch + 1)

    def _time(self, **more: Any) -> None:
        now, (then, tokens) = self.clock.seconds(), self._last
        speed = (self.feed.tokens - tokens) / max(now - then, 1e-9)
        line = {"step": self._step, "seconds": round(now, 3), "tokens_per_second": round(speed, 1)}
        line["memory_bytes"] = resident_bytes()
        if (taken := accelerator_bytes()) is not None:
            line["accelerator_bytes"] = taken
        self.run.append_jsonl("timings.jsonl", line | more)
        self._last = (now, self.feed.tokens)


class EpochTable(keras.callbacks.Callback):
    """Adds a row to a CSV file after each epoch.

    Args:
        path: The file; its first line names the columns.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's row."""
        row = {"epoch": epoch, **dict(sorted((logs or {}).items()))}
        with explained(self.path), self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)


class Progress(keras.callbacks.Callback):
    """Tells a reporter of every step.

    Args:
        reporter: Shows it.
        feed: Knows the steps and counts the tokens.
        epochs: In all.
    """

    _LOSS_EVERY = 10

    def __init__(self, reporter: Reporter, feed: Feed, epochs: int) -> None:
        super().__init__()
        self.reporter, self.feed, self.epochs = reporter, feed, epochs
        self._epoch = 0
        self._began: float | None = None
        self._tokens = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Announces how much there is to do."""
        self.reporter.begin(epochs=self.epochs, steps=self.feed.steps_per_epoch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports a step; the speed counts from the end of the first, which compiles."""
        now = time.perf_counter()
        if self._began is None:
            self._began, self._tokens = now, self.feed.tokens
        speed = (self.feed.tokens - self._tokens) / max(now - self._began, 1e-9)
        loss = float((logs or {}).get("loss", math.nan)) if (batch + 1) % self._LOSS_EVERY == 0 else None
        self.reporter.step(epoch=self._epoch + 1, step=batch + 1, loss=loss, tokens_per_second=speed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports the scores."""
        self.reporter.epoch(epoch + 1, {name: float(value) for name, value in (logs or {}).items()})
