"""Notices when a training diverges: a loss that is no number, or one far above what it was at first."""

from __future__ import annotations

import math
import statistics
from typing import Any

import keras

from textseq.errors import RunFailedError, problem

_FIRST_STEPS = 10  # their median is what losses are compared to
_LEAST_LOSS = 0.1  # nats; a loss that begins lower is compared to this
_DECAY = 0.9  # of the moving mean of the losses: some ten steps


class DivergedError(RunFailedError):
    """The loss, or a weight, is no longer a number, or the loss is far above what it was.

    Args:
        wrong: What was seen.
        epoch: When, counted from 0.
        step: Of the epoch, counted from 0.
        loss: Of that step.
    """

    def __init__(self, wrong: str, *, epoch: int, step: int, loss: float) -> None:
        way_out = "Lower training.learning_rate, set training.clip_norm, or give training.schedule a warm-up"
        where = f"training, epoch {epoch + 1}, step {step + 1}"
        super().__init__(problem(where, wrong, received=loss, way_out=way_out))
        self.wrong, self.epoch, self.step, self.loss = wrong, epoch, step, loss


class DivergenceGuard(keras.callbacks.Callback):
    """Looks at the loss of every step, and raises where it diverges.

    What Keras logs is the mean since the epoch began; a step's own loss is the difference of two such sums.

    Args:
        blow_up: How many times the median of the first ten losses the moving mean may be; None for any.
    """

    def __init__(self, blow_up: float | None) -> None:
        super().__init__()
        self.blow_up = blow_up
        self.restore({"mean": 0.0, "first": [], "moving": 0.0})
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of it."""
        return {"mean": self._mean, "first": list(self._first), "moving": self._moving}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self._mean, self._moving = float(state["mean"]), float(state["moving"])
        self._first = [float(loss) for loss in state["first"]]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at a step's loss.

        Raises:
            DivergedError: It diverges.
        """
        if not logs or "loss" not in logs:
            return
        mean = float(logs["loss"])
        loss = mean * (batch + 1) - self._mean * batch
        self._mean = mean
        if not math.isfinite(mean):
            wrong = "the loss is no longer a number"
            raise DivergedError(wrong, epoch=self._epoch, step=batch, loss=mean)
        self._moving = _DECAY * self._moving + (1.0 - _DECAY) * loss if self._first else loss
        if len(self._first) < _FIRST_STEPS:
            self._first.append(loss)
        if self.blow_up is None:
            return
        bound = self.blow_up * max(statistics.median_low(self._first), _LEAST_LOSS)
        if self._moving > bound and loss > bound:  # not where a wild first loss is being forgotten
            wrong = f"the loss is more than {self.blow_up:g} times what it was in the first {_FIRST_STEPS} steps"
            raise DivergedError(wrong, epoch=self._epoch, step=batch, loss=loss)
