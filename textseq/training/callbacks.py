"""What happens beside the steps: validation, best weights, logs, progress, and an end to runs that diverge."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import keras

from textseq.config import Component
from textseq.errors import RunFailedError, UsageError, problem
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.checkpoints import save_weights
from textseq.training.feeding import Feed
from textseq.training.memory import accelerator_bytes, resident_bytes
from textseq.training.optimizers import averaged_weights, current_learning_rate


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


class Validation(keras.callbacks.Callback):
    """Scores the validation split after each epoch, with the averaged weights where there are any; keeps the best.

    Args:
        task: Knows how to score, and which score counts.
        prepared: Holds the validation split.
        run: Where the best weights go.
        monitor: The score that counts, where the config names one.
        keep_last: Whether the last epoch's weights are kept instead.

    Attributes:
        best: The best value of the monitored score so far.
        best_epoch: Its epoch, counted from 1.
        kept_epoch: The epoch whose weights are kept.
    """

    def __init__(
        self, task: Task, prepared: Prepared, run: RunDirectory, monitor: str | None = None, *, keep_last: bool = False
    ) -> None:
        super().__init__()
        self.task, self.prepared, self.run = task, prepared, run
        self.monitor = monitor or task.monitor
        lower = self.monitor == task.monitor and task.monitor_mode == "min"
        self.sign = -1.0 if lower or any(word in self.monitor for word in ("loss", "perplexity", "bits")) else 1.0
        self.best: float | None = None
        self.keep_last = keep_last
        self.best_epoch = self.kept_epoch = 0
        self.epochs_without_gain = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `val_…` scores to the logs and saves the weights if they are the best so far."""
        with averaged_weights(self.model):
            scores = self.task.evaluate(self.model, self.prepared.splits["validation"], self.prepared)
            value = monitored(scores, self.monitor)
            if self.best is None or self.sign * value > self.sign * self.best:
                self.best, self.best_epoch, self.epochs_without_gain = value, epoch + 1, 0
            else:
                self.epochs_without_gain += 1
            if self.keep_last or self.best_epoch == epoch + 1:
                self.kept_epoch = epoch + 1
                save_weights(self.model, self.run.weights)
        if logs is not None:
            logs.update({f"val_{name}": score for name, score in scores.items() if isinstance(score, float)})


def monitored(scores: dict[str, Any], name: str) -> float:
    """Returns the score that decides which weights are best.

    Raises:
        UsageError: There is no score of that name; says which there are.
    """
    if not isinstance(scores.get(name), float):
        numbers = sorted(known for known, score in scores.items() if isinstance(score, float))
        raise UsageError(
            problem("training.monitor", "there is no such score", received=name)
            + f" Choose one of: {', '.join(numbers)}."
        )
    return float(scores[name])


class EarlyStopping(keras.callbacks.Callback):
    """Ends training when so many epochs brought no better validation score.

    Args:
        validation: Counts the epochs.
        patience: Epochs.
    """

    def __init__(self, validation: Validation, patience: int) -> None:
        super().__init__()
        self.validation, self.patience = validation, patience

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops the training where patience is at its end."""
        if self.validation.epochs_without_gain >= self.patience:
            self.model.stop_training = True


class MetricsLog(keras.callbacks.Callback):
    """Writes `metrics.jsonl` (what training computed) and `timings.jsonl` (how long it took) in the run directory.

    Two files, since the first is the same each time the same run is made, and the second never is.

    Args:
        run: The run directory.
        feed: Counts tokens.
        every: Steps between two lines.
    """

    def __init__(self, run: RunDirectory, feed: Feed, every: int) -> None:
        super().__init__()
        self.run, self.feed, self.every = run, feed, every
        self._step = feed.first_epoch * feed.steps_per_epoch + feed.first_step
        self._last: tuple[float, int] = (0.0, 0)
        self._began = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._began = time.perf_counter()
        self._last = (self._began, self.feed.tokens)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes a line every so many steps."""
        self._step += 1
        if self._step % self.every == 0:
            loss = float((logs or {}).get("loss", math.nan))
            rate = current_learning_rate(self.model.optimizer)
            self.run.append_jsonl("metrics.jsonl", {"step": self._step, "loss": loss, "learning_rate": rate})
            self._time()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's scores."""
        scores = {name: float(value) for name, value in (logs or {}).items()}
        self.run.append_jsonl("metrics.jsonl", {"step": self._step, "epoch": epoch + 1, **scores})
        self._time(epoch=epoch + 1)

    def _time(self, **more: Any) -> None:
        now, (then, tokens) = time.perf_counter(), self._last
        speed = (self.feed.tokens - tokens) / max(now - then, 1e-9)
        line = {"step": self._step, "seconds": round(now - self._began, 3), "tokens_per_second": round(speed, 1)}
        line["memory_bytes"] = resident_bytes()
        if (taken := accelerator_bytes()) is not None:
            line["accelerator_bytes"] = taken
        self.run.append_jsonl("timings.jsonl", line | more)
        self._last = (now, self.feed.tokens)


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
        self._epoch = feed.first_epoch
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


class DivergenceGuard(keras.callbacks.Callback):
    """Ends a run whose loss is no longer a number; the best weights so far stay.

    Args:
        every: Steps between two looks; an epoch's end is always looked at.
    """

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every = every

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss every so many steps."""
        if (batch + 1) % self.every == 0:
            self._look(batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss before it is scored and saved."""
        self._look(epoch, logs)

    def _look(self, at: int, logs: dict[str, Any] | None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise RunFailedError(
                problem(
                    "training",
                    "the loss is no longer a number",
                    received=loss,
                    way_out="Lower training.learning_rate, set training.clip_norm, or give training.schedule a warm-up",
                )
            )


def user_callbacks(wanted: list[Component]) -> list[keras.callbacks.Callback]:
    """Makes the Keras callbacks that a config names as `package.module:Class`.

    Raises:
        UsageError: There is no such module or class, or it refuses its arguments.
    """
    return [_user_callback(component.name, dict(component.arguments)) for component in wanted]


def _user_callback(name: str, arguments: dict[str, Any]) -> keras.callbacks.Callback:
    module, _, attribute = name.partition(":")
    try:
        factory: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        callback = factory(**arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(problem("training.callbacks", f"cannot make it: {error}", received=name)) from error
    if not isinstance(callback, keras.callbacks.Callback):
        raise UsageError(problem("training.callbacks", "is no keras.callbacks.Callback", received=name))
    return callback
