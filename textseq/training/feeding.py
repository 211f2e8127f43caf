"""Hands a task's batches to `keras.Model.fit`, one epoch after the other, in the form each backend takes fastest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from textseq.tasks.base import Batches, Task

_PREFETCH = 4


class Feed(keras.callbacks.Callback):
    """Knows which epoch is on; as a callback, it hears it from `fit`.

    Args:
        task: Splits a batch into what `fit` takes.
        batches: The task's training batches.
        steps: Batches of an epoch, where the config limits them.

    Attributes:
        first_epoch: Where training begins, or goes on.
        first_step: Batches of the first epoch that were trained on before; they are not read again.
        tokens: Tokens read in all.
    """

    def __init__(self, task: Task, batches: Batches, steps: int | None = None) -> None:
        super().__init__()
        self.task = task
        self.batches = batches
        self.first_epoch = self.first_step = self.current_epoch = 0
        self.tokens = 0
        self._steps = steps
        self._signature: Any = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        found = self.batches.steps_per_epoch
        return min(self._steps, found) if self._steps and found else int(self._steps or found or 0)

    def go_to(self, epoch: int, step: int) -> None:
        """Lets the next call of `fit` begin at a step of an epoch, both counted from 0."""
        self.first_epoch = self.current_epoch = epoch
        self.first_step = step

    def rows(self, epoch: int, step: int) -> list[int] | None:
        """Returns which rows of the train split a batch holds; None where the batches do not say."""
        tell = getattr(self.batches, "rows", None)
        return None if tell is None else [int(row) for row in tell(epoch, step)]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch whose batches `fit` asks for next."""
        self.current_epoch = epoch

    def read(self, first: int = 0) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]]:
        """Yields the current epoch's batches from batch `first` on."""
        epoch = self.current_epoch
        skipped = self.first_step if epoch == self.first_epoch else 0
        for step, batch in enumerate(self.batches.epoch(epoch, first_step=skipped + first), start=skipped + first):
            if step >= self.steps_per_epoch:
                return
            self.tokens += int(batch.get("tokens", np.count_nonzero(batch["token_ids"])))
            yield self.task.fit_arguments(batch)

    def for_backend(self) -> Any:
        """Returns what `fit` takes as x: a `tf.data.Dataset`, or a `PyDataset` where TensorFlow is not the backend."""
        return self._tf_dataset() if keras.backend.backend() == "tensorflow" else _EpochDataset(self)

    def _tf_dataset(self) -> Any:
        """One signature for all lengths, so that `fit` traces its step once.

        The very first batch tells it, and once: a stream is read from its beginning to reach any other. A number that
        is mapped to a batch costs half the Python of `from_generator`, and Python in the background is what a step
        that asks for its batch waits for. Numbers are counted beforehand, too: where `fit` does not know how many
        batches come, it asks for one more, and the step that fails for want of it has counted itself already.
        """
        import tensorflow as tf

        if self._signature is None:
            example = self.task.fit_arguments(next(self.batches.epoch(0)))
            fixed = getattr(self.batches, "fixed_shape", False)
            self._signature = keras.tree.map_structure(
                lambda array: tf.TensorSpec(_shape(array, fixed), array.dtype), example
            )
        specs = keras.tree.flatten(self._signature)
        batches: Any = iter(())

        def read(place: np.ndarray) -> list[np.ndarray]:
            nonlocal batches
            if place == 0:
                batches = self.read()
            made = next(batches, None)
            if made is None:
                name, steps = type(self.batches).__name__, self.steps_per_epoch
                raise ValueError(f"{name} ended an epoch after {place} batches; its steps_per_epoch says {steps}.")
            return keras.tree.flatten(made)

        def batch(place: Any) -> Any:
            arrays = tf.numpy_function(read, [place], [spec.dtype for spec in specs])
            for array, spec in zip(arrays, specs, strict=True):
                array.set_shape(spec.shape)
            return keras.tree.pack_sequence_as(self._signature, arrays)

        return tf.data.Dataset.range(self.steps_per_epoch - self.first_step).map(batch).prefetch(_PREFETCH)


def _shape(array: np.ndarray, fixed: bool) -> tuple[int | None, ...]:
    """Batch size is fixed; the time of a text's token ids is not."""
    is_text = array.ndim == 2 and array.dtype == np.int32
    return array.shape if fixed or not is_text else (array.shape[0], None)


class _EpochDataset(keras.utils.PyDataset):
    """The feed as Keras's sequence of batches; read in order, as `fit` does, each batch is made once."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed
        self._position: tuple[int, int] | None = None
        self._batches: Any = None

    def __len__(self) -> int:
        skipped = self._feed.first_step if self._feed.current_epoch == self._feed.first_epoch else 0
        return self._feed.steps_per_epoch - skipped

    def __getitem__(self, index: int) -> Any:
        epoch = self._feed.current_epoch
        if self._position != (epoch, index):
            self._batches = self._feed.read(index)
        self._position = (epoch, index + 1)
        return next(self._batches)
