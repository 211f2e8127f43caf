"""When checkpoints are written, and what is in them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

import keras

from textseq.config import TrainingConfig
from textseq.data.shards import WHOLE, Shard
from textseq.training.callbacks import EarlyStopping
from textseq.training.checkpoints.folder import Checkpoint, Checkpoints
from textseq.training.checkpoints.state import is_finite, values
from textseq.training.clock import Clock
from textseq.training.divergence import DivergedError
from textseq.training.feeding import Feed
from textseq.training.stopping import StoppedError, Stopping


class Stateful(Protocol):
    """Something whose state belongs to a checkpoint."""

    def state(self) -> dict[str, Any]:
        """Returns it, JSON-serialisable."""

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from it."""


class Saving(keras.callbacks.Callback):
    """Writes checkpoints: at the ends of epochs, every so many steps or minutes, and when a signal came.

    It comes last of all callbacks, so that what the others changed is in the checkpoint.

    Args:
        checkpoints: Where to.
        training: Says how often.
        feed: Knows the steps and counts the tokens.
        clock: Counts the seconds.
        stopping: Knows whether a signal came.
        parts: Whose state is kept, by name.
        about: What else is kept, JSON-serialisable.
        patience: Ends the training early, where something does. Whether it is at its end follows from the scores and
            is not kept, so that a run can go on with more of it.
        shard: Which of how many processes this is. Several take part in every checkpoint, so that no clock and no
            signal of one of them may ask for one; the first writes it.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        training: TrainingConfig,
        feed: Feed,
        clock: Clock,
        stopping: Stopping,
        parts: Mapping[str, Stateful],
        about: Mapping[str, Any],
        patience: EarlyStopping | None = None,
        shard: Shard = WHOLE,
    ) -> None:
        super().__init__()
        self.checkpoints, self.feed, self.clock, self.stopping = checkpoints, feed, clock, stopping
        self.every = training.checkpoint_every
        minutes = training.checkpoint_minutes if shard.count == 1 else None
        self.seconds = None if minutes is None else 60.0 * minutes
        self.parts, self.about, self.patience, self.shard = parts, about, patience, shard
        self._epoch = 0
        self._last = time.monotonic()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Gives each part, and the clock, its state back."""
        self.clock.go_on_from(checkpoint.about["seconds"])
        self._last = time.monotonic()
        self.feed.tokens = checkpoint.about["tokens"]
        for name, part in self.parts.items():
            part.restore(checkpoint.about["parts"][name])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves where it is time, and leaves where a signal came.

        Raises:
            StoppedError: A signal came; the step is saved.
        """
        if self.model.stop_training:  # the epoch ends here, and is saved as a whole
            return
        step = batch + 1
        regular = self.every is not None and (self._epoch * self.feed.steps_per_epoch + step) % self.every == 0
        due = self.seconds is not None and time.monotonic() - self._last >= self.seconds
        if regular or due or self.stopping.signal is not None:
            self.save(self._epoch, step, regular=regular)
        self._leave_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Saves.

        Raises:
            StoppedError: A signal came; the epoch is saved.
        """
        self.save(epoch + 1, 0, regular=True)
        self._leave_if_asked()

    def save(self, epoch: int, step: int, *, regular: bool) -> None:
        """Writes a checkpoint.

        Args:
            epoch: That is going on, counted from 0.
            step: Batches of it that were trained on.
            regular: Whether the config, and no clock or signal, said so.

        Raises:
            DivergedError: A weight is no longer a number.
            TextseqError: It cannot be written; those before are whole.
        """
        arrays, means = values(self.model)
        if self.shard.index > 0:
            return
        if not is_finite(self.model):
            raise DivergedError("a weight is no longer a number", epoch=epoch, step=max(step - 1, 0), loss=float("nan"))
        about = {
            "step": epoch * self.feed.steps_per_epoch + step,
            "epoch": epoch,
            "step_of_epoch": step,
            "regular": regular,
            "means": means,
            "stopped": bool(self.model.stop_training) and not (self.patience and self.patience.exhausted),
            "seconds": self.clock.seconds(),
            "tokens": self.feed.tokens,
            "parts": {name: part.state() for name, part in self.parts.items()},
            **self.about,
        }
        self.checkpoints.write(about, arrays)
        self._last = time.monotonic()

    def save_again(self, checkpoint: Checkpoint) -> None:
        """Replaces a checkpoint by the same one with what has changed: the learning rate, and the count of setbacks."""
        arrays, _ = values(self.model)
        means = checkpoint.about["means"]
        arrays[len(arrays) - means :] = checkpoint.arrays[len(checkpoint.arrays) - means :]
        parts = {name: part.state() for name, part in self.parts.items()}
        self.checkpoints.write({**checkpoint.about, "parts": parts}, arrays)

    def save_unscored(self) -> None:
        """Writes a checkpoint of an epoch whose steps are done and which a signal kept from being scored.

        Raises:
            StoppedError: Always.
        """
        self.save(self._epoch, self.feed.steps_per_epoch, regular=False)
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self.stopping.signal is not None:
            raise StoppedError(self.stopping.signal)
