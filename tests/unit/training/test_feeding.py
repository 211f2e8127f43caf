"""Batches on their way to `fit`: a stream is not read more often than it has to be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from textseq.data.streams import Stream
from textseq.training.feeding import Feed

STEPS = 5


class Counted(Stream):
    """Numbered batches, whose making is counted."""

    made = 0

    def endless(self) -> Iterator[dict[str, np.ndarray]]:
        number = 0
        while True:
            self.made += 1
            yield {"token_ids": np.full((2, 3), number, np.int32), "weights": np.ones(2, np.float32)}
            number += 1


class Task:
    """Splits a batch."""

    def fit_arguments(self, batch: Any) -> Any:
        return {"token_ids": batch["token_ids"]}, batch["token_ids"][:, 0], batch["weights"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow wants an example beforehand")
def test_going_on_in_a_stream_reads_what_is_before_it_once() -> None:
    stream = Counted(STEPS)
    task: Any = Task()
    feed = Feed(task, stream)
    found = []
    for epoch, step in ((2, 3), (3, 0)):
        feed.go_to(epoch, step)
        found += [int(targets[0]) for _, targets, _ in feed.for_backend()]
    assert found == [*range(2 * STEPS + 3, 3 * STEPS), *range(3 * STEPS, 4 * STEPS)]
    assert stream.made == 4 * STEPS + 1  # and one that tells the shapes


class Short(Counted):
    """Ends before it said."""

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[dict[str, np.ndarray]]:
        yield from itertools.islice(super().epoch(epoch, first_step), 2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras's own sequences count for themselves")
def test_an_epoch_that_ends_too_early_is_told() -> None:
    task: Any = Task()
    with pytest.raises(Exception, match="Short ended an epoch after 2 batches; its steps_per_epoch says 5"):
        list(Feed(task, Short(STEPS)).for_backend())
