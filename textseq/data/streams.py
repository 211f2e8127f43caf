"""Training batches from a stream of rows, for corpora larger than memory and disk.

A stream is read on and on: an epoch of so many steps goes on where the one before it ended, and a new pass over the
stream begins, shuffled anew, when one is over. What a step holds follows from (seed, step) alone; a run that begins
in the middle reads the rows before it and drops them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.data.batches import ClassificationBatches, Truncate
from textseq.data.encoded import EncodedTexts
from textseq.data.labels import Labels
from textseq.data.shards import WHOLE, Shard, evened, own_rows
from textseq.data.tokenizers.base import START_ID, Tokenizer
from textseq.data.windows import drawn_restarts, restart

Batch = dict[str, np.ndarray]

_ROWS_SHUFFLED_TOGETHER = 10_000
_BATCHES_SORTED_TOGETHER = 50
_ROWS_AT_ONCE = 256


class Stream:
    """Batches whose order is that of an endless stream; a subclass makes them from rows.

    Args:
        steps_per_epoch: Batches of an epoch.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self._batches: Iterator[Batch] = iter(())
        self._position = -1

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yields the batches of one epoch from `first_step` on; goes on where it stands if that is the place."""
        begin = epoch * self.steps_per_epoch + first_step
        if self._position != begin:
            self._batches, self._position = self.endless(), 0
            while self._position < begin:
                next(self._batches)
                self._position += 1
        for _ in range(first_step, self.steps_per_epoch):
            batch = next(self._batches)
            self._position += 1
            yield batch

    def endless(self) -> Iterator[Batch]:
        """Yields batches from the first on, without end."""
        raise TypeError(f"{type(self).__name__} defines no endless.")


class StreamedClassificationBatches(Stream):
    """Batches for classification: rows shuffled in a window of ten thousand, those of fifty batches sorted by length.

    Args:
        rows: A `datasets.IterableDataset`.
        data: Names the columns.
        tokenizer: Fitted.
        labels: The classes.
        steps_per_epoch: Batches of an epoch.
        batch_size: Rows of a batch.
        seed: Of the shuffle.
        bucket: Whether texts of like length go together.
        max_length: Tokens a row is cut to.
        truncate: Which end of a longer row goes.
        shard: Which part of the stream is read, for as large a part of each batch.
    """

    def __init__(
        self,
        rows: Any,
        data: DataConfig,
        tokenizer: Tokenizer,
        labels: Labels,
        *,
        steps_per_epoch: int,
        batch_size: int,
        seed: int,
        bucket: bool,
        max_length: int,
        truncate: Truncate,
        shard: Shard = WHOLE,
    ) -> None:
        super().__init__(steps_per_epoch)
        self.rows = own_rows(rows.shuffle(seed=seed, buffer_size=_ROWS_SHUFFLED_TOGETHER), shard)
        self.shard = shard
        batch_size //= shard.count
        self.data, self.tokenizer, self.labels = data, tokenizer, labels
        self.batch_size, self.seed, self.bucket = batch_size, seed, bucket
        self.max_length: int = max_length
        self.truncate: Truncate = truncate

    def endless(self) -> Iterator[Batch]:
        """Yields batches; of each pass, the last may hold fillers."""
        yield from evened(self._own(), self.shard)

    def _own(self) -> Iterator[Batch]:
        size = self.batch_size * _BATCHES_SORTED_TOGETHER
        for part, block in enumerate(_blocks(self.rows, size)):
            texts = self._encoded(block, self.data.text, (self.seed, part, 0))
            second = self.data.text_pair
            pair = None if second is None else self._encoded(block, second, (self.seed, part, 1))
            batches = ClassificationBatches(
                texts,
                self.labels.encode_columns(block),
                pair=pair,
                batch_size=self.batch_size,
                seed=self.seed,
                bucket=self.bucket,
                max_length=self.max_length,
                truncate=self.truncate,
            )
            yield from batches.epoch(part)

    def _encoded(self, block: dict[str, list[Any]], column: str, seed: tuple[int, ...]) -> EncodedTexts:
        texts = [text or "" for text in block[column]]
        if self.tokenizer.samples:
            generator = np.random.default_rng(seed)
            return EncodedTexts.from_lists(self.tokenizer.encode_sampled(texts, generator))
        return EncodedTexts.from_lists(self.tokenizer.encode(texts))


class StreamedWindows(Stream):
    """Windows for language models: each row of a batch reads whole texts one after the other, without a gap.

    A text goes to the row that has the fewest tokens left, so that all stay filled. The state is carried from window
    to window; the end token says where a text begins.

    Args:
        rows: A `datasets.IterableDataset`.
        column: Of the texts.
        tokenizer: Fitted.
        end_id: The token after each text; None for none.
        steps_per_epoch: Batches of an epoch.
        batch_size: Rows of a batch.
        window: Tokens of a window.
        carry: Whether state is carried from window to window.
        shard: Which part of the stream is read, for as large a part of each batch.
        restarts: Fraction of windows that begin as a text does: with the start token and no past.
        seed: Of the restarts.
    """

    fixed_shape = True

    def __init__(
        self,
        rows: Any,
        column: str,
        tokenizer: Tokenizer,
        *,
        end_id: int | None,
        steps_per_epoch: int,
        batch_size: int,
        window: int,
        carry: bool,
        shard: Shard = WHOLE,
        restarts: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(steps_per_epoch)
        rows, self.shard = own_rows(rows, shard), shard
        batch_size //= shard.count
        self.restarts, self.seed = restarts, seed
        self.rows, self.column, self.tokenizer, self.end_id = rows, column, tokenizer, end_id
        self.batch_size, self.window, self.carry = batch_size, window, carry

    def endless(self) -> Iterator[Batch]:
        """Yields windows; every token of the stream is a target once."""
        texts = self._texts()
        waiting = [np.zeros(0, np.int32) for _ in range(self.batch_size)]
        before = np.full((self.batch_size, 1), START_ID, np.int32)
        step = 0
        while True:
            while min(map(len, waiting)) < self.window:
                shortest = min(range(self.batch_size), key=lambda row: len(waiting[row]))
                waiting[shortest] = np.concatenate([waiting[shortest], next(texts)])
            targets = np.stack([row[: self.window] for row in waiting])
            waiting = [row[self.window :] for row in waiting]
            of_all = {} if self.shard.count == 1 else {"tokens": np.array(targets.size * self.shard.count)}
            batch = {
                **of_all,
                "token_ids": np.concatenate([before, targets[:, :-1]], 1),
                "targets": targets,
                "weights": np.ones(targets.shape, np.float32),
                "reset": np.full(self.batch_size, float(step == 0 or not self.carry), np.float32),
            }
            restart(batch, drawn_restarts((self.seed, self.shard.index, step), self.batch_size, self.restarts))
            yield batch
            before = targets[:, -1:]
            step += 1

    def _texts(self) -> Iterator[np.ndarray]:
        end = [] if self.end_id is None else [self.end_id]
        for block in _blocks(self.rows, _ROWS_AT_ONCE):
            for ids in self.tokenizer.encode([text or "" for text in block[self.column]]):
                yield np.concatenate([np.asarray(ids, np.int32), np.asarray(end, np.int32)])


def _blocks(rows: Any, size: int) -> Iterator[dict[str, list[Any]]]:
    """Yields the columns of so many rows at a time, pass after pass."""
    pass_ = 0
    while True:
        rows.set_epoch(pass_)
        yield from rows.iter(batch_size=size)
        pass_ += 1
