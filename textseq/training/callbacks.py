"""What happens beside the steps: validation, best weights, an early end, and what users add."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from textseq.config import Component
from textseq.errors import UsageError, problem
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.checkpoints.weights import save_weights
from textseq.training.optimizers import averaged_weights


class Validation(keras.callbacks.Callback):
    """Scores the validation split after each epoch, with the averaged weights where there are any; keeps the best.

    Args:
        task: Knows how to score, and which score counts.
        prepared: Holds the validation split.
        run: Where the best weights go.
        monitor: The score that counts, where the config names one.
        keep_last: Whether the last epoch's weights are kept instead.
        look_up: Called after each batch; may raise to end the scoring.

    Attributes:
        best: The best value of the monitored score so far.
        best_epoch: Its epoch, counted from 1.
        kept_epoch: The epoch whose weights are kept.
    """

    _STATE = ("best", "best_epoch", "kept_epoch", "epochs_without_gain")

    def __init__(
        self,
        task: Task,
        prepared: Prepared,
        run: RunDirectory,
        monitor: str | None = None,
        *,
        keep_last: bool = False,
        look_up: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.task, self.prepared, self.run, self.look_up = task, prepared, run, look_up
        self.monitor = monitor or task.monitor
        lower = self.monitor == task.monitor and task.monitor_mode == "min"
        self.sign = -1.0 if lower or any(word in self.monitor for word in ("loss", "perplexity", "bits")) else 1.0
        self.best: float | None = None
        self.keep_last = keep_last
        self.best_epoch = self.kept_epoch = 0
        self.epochs_without_gain = 0

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of it."""
        return {name: getattr(self, name) for name in self._STATE}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        for name in self._STATE:
            setattr(self, name, state[name])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds `val_…` scores to the logs and saves the weights if they are the best so far."""
        with averaged_weights(self.model):
            split = self.prepared.splits["validation"]
            scores = self.task.evaluate(self.model, split, self.prepared, lambda done, total: self.look_up())
            value = monitored(scores, self.monitor)
            if self._is_better(value):
                self.best, self.best_epoch, self.epochs_without_gain = value, epoch + 1, 0
            else:
                self.epochs_without_gain += 1
            if self.keep_last or self.best_epoch == epoch + 1:
                self.kept_epoch = epoch + 1
                save_weights(self.model, self.run.weights)
        if logs is not None:
            logs.update({f"val_{name}": score for name, score in scores.items() if isinstance(score, float)})

    def _is_better(self, value: float) -> bool:
        if self.best is None or math.isnan(self.best):  # any number is better than none
            return self.best is None or not math.isnan(value)
        return self.sign * value > self.sign * self.best


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

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return self.validation.epochs_without_gain >= self.patience

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops the training where patience is at its end."""
        if self.exhausted:
            self.model.stop_training = True


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


class UserCallbacks:
    """What checkpoints keep of the callbacks that a config names: their attributes that are plain numbers.

    That is what Keras's own count with: epochs to wait, the best value so far.

    Args:
        callbacks: In the config's order.
    """

    def __init__(self, callbacks: list[keras.callbacks.Callback]) -> None:
        self.callbacks = callbacks

    def state(self) -> dict[str, Any]:
        """Returns the numbers of each."""
        return {"numbers": [_numbers(callback) for callback in self.callbacks]}

    def restore(self, state: dict[str, Any]) -> None:
        """Gives each its numbers back."""
        for callback, numbers in zip(self.callbacks, state["numbers"], strict=True):
            for name, value in numbers.items():
                setattr(callback, name, value)


def _numbers(callback: keras.callbacks.Callback) -> dict[str, float]:
    mine = {name: value.item() if isinstance(value, np.generic) else value for name, value in vars(callback).items()}
    return {name: value for name, value in mine.items() if isinstance(value, bool | int | float)}
