"""Batches for classification: length-bucketed, padded at the right, every row once an epoch.

The order is a pure function of (seed, epoch, step): that makes shuffling deterministic and resuming exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from textseq.data.shards import WHOLE, Shard
from textseq.data.tokenizers.base import END_ID, UNKNOWN_ID

Batch = dict[str, np.ndarray]
Truncate = Literal["end", "start", "middle"]

_BATCHES_SORTED_TOGETHER = 50
_ROWS_SORTED_TOGETHER = 4096


class ClassificationBatches:
    """Shuffled training batches.

    Rows are shuffled, those of some fifty batches at a time sorted by length and cut into batches, and the batches
    shuffled: lengths inside a batch are alike, and which rows meet still changes each epoch. The last batch of an
    epoch is filled up with rows of weight 0, so that all have one size.

    Args:
        texts: Token ids.
        targets: Encoded labels, `(rows,)` or `(rows, classes)`.
        batch_size: Rows of a batch.
        seed: Of the shuffle.
        shuffle: Whether rows are shuffled at all.
        bucket: Whether texts of like length go together.
        max_length: Tokens a row is cut to.
        pair: Token ids of the second texts.
        truncate: Which end of a longer row goes: "end", "start", or "middle" (head and tail stay).
        weights: Weight of each row; 1 where None.
        shard: The rows of each batch that are made; all of them have the width of the whole batch.
    """

    def __init__(
        self,
        texts: Any,
        targets: np.ndarray | None,
        *,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        bucket: bool = True,
        max_length: int = 512,
        pair: Any = None,
        truncate: Truncate = "end",
        weights: np.ndarray | None = None,
        shard: Shard = WHOLE,
    ) -> None:
        shard.rows(batch_size)  # refuses a batch that cannot be split
        self.shard = shard
        self.texts, self.pair, self.targets, self.weights = texts, pair, targets, weights
        self.batch_size, self.seed, self.shuffle, self.bucket = batch_size, seed, shuffle, bucket
        self.max_length: int = max_length
        self.truncate: Truncate = truncate

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.texts) // self.batch_size)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yields the batches of one epoch.

        Args:
            epoch: Counted from 0.
            first_step: Batches left out at the beginning, without being made.

        Yields:
            `token_ids` (batch, time) int32, `labels`, `weights` (batch,) float32, `rows` (batch,) int64 (-1 at
            fillers), and `segment_ids` (batch, time) int32 for pairs. Of a shard, its rows of these, and `tokens` of
            all.
        """
        for rows in self._order(epoch)[first_step:]:
            yield self._make(rows, epoch)

    def rows(self, epoch: int, step: int) -> np.ndarray:
        """Returns the row numbers of a whole batch, without making it."""
        return self._order(epoch)[step]

    def _order(self, epoch: int) -> list[np.ndarray]:
        """Returns the row numbers of each batch."""
        generator = np.random.default_rng([self.seed, epoch])
        count, size = len(self.texts), self.batch_size
        rows = generator.permutation(count) if self.shuffle else np.arange(count)
        if not self.bucket:
            return [rows[start : start + size] for start in range(0, count, size)]
        lengths = self.texts.lengths if self.pair is None else self.texts.lengths + self.pair.lengths
        batches: list[np.ndarray] = []
        for start in range(0, count, size * _BATCHES_SORTED_TOGETHER):
            part = rows[start : start + size * _BATCHES_SORTED_TOGETHER]
            part = part[np.argsort(lengths[part], kind="stable")]
            batches += [part[cut : cut + size] for cut in range(0, len(part), size)]
        order = generator.permutation(len(batches)) if self.shuffle else range(len(batches))
        return [batches[place] for place in order]

    def _make(self, rows: np.ndarray, epoch: int) -> Batch:
        """Reads the shard's rows alone, unless they are cut anew each epoch: then the batch is drawn as a whole."""
        if self.shard == WHOLE:
            return self._filled(rows, epoch, size=self.batch_size)
        mine = self.shard.rows(self.batch_size)
        if getattr(self.texts, "sampled", False):
            batch = self._filled(rows, epoch, size=self.batch_size)
            tokens = np.count_nonzero(batch["token_ids"])
            return {**{name: array[mine] for name, array in batch.items()}, "tokens": np.array(tokens)}
        lengths = self._lengths(rows)
        batch = self._filled(rows[mine], epoch, size=mine.stop - mine.start, at_least=int(lengths.max(initial=1)))
        return {**batch, "tokens": lengths.sum()}

    def _filled(self, rows: np.ndarray, epoch: int, *, size: int, at_least: int = 1) -> Batch:
        """Returns rows, at least so wide, and fillers after them."""
        texts = self.texts.rows(rows, epoch)
        pairs = None if self.pair is None else self.pair.rows(rows, epoch)
        batch = padded(texts, pairs, size=size, max_length=self.max_length, truncate=self.truncate, at_least=at_least)
        fillers = size - len(rows)
        weights = np.ones(len(rows), np.float32) if self.weights is None else self.weights[rows]
        batch["weights"] = np.pad(weights.astype(np.float32), (0, fillers))
        batch["rows"] = np.pad(rows.astype(np.int64), (0, fillers), constant_values=-1)
        if self.targets is not None:
            labels = self.targets[rows]
            batch["labels"] = np.pad(labels, [(0, fillers)] + [(0, 0)] * (labels.ndim - 1))
        return batch

    def _lengths(self, rows: np.ndarray) -> np.ndarray:
        """Returns the tokens of some rows, as `padded` cuts them, without reading them."""
        firsts = self.texts.lengths[rows].astype(np.int64)
        if self.pair is None:
            return np.clip(firsts, 1, self.max_length)
        seconds = self.pair.lengths[rows].tolist()
        pairs = zip(firsts.tolist(), seconds, strict=True)
        return np.array([sum(_kept(first, second, self.max_length)) + 1 for first, second in pairs], np.int64)


def evaluation_batches(
    texts: Any,
    targets: np.ndarray | None,
    *,
    batch_size: int,
    max_length: int,
    pair: Any = None,
    truncate: Truncate = "end",
) -> Iterator[Batch]:
    """Yields every row once, sorted by length inside blocks of some thousand; `rows` tells which is which."""
    lengths = texts.lengths if pair is None else texts.lengths + pair.lengths
    maker = ClassificationBatches(
        texts,
        targets,
        batch_size=batch_size,
        seed=0,
        shuffle=False,
        bucket=False,
        max_length=max_length,
        pair=pair,
        truncate=truncate,
    )
    for start in range(0, len(texts), _ROWS_SORTED_TOGETHER):
        block = np.arange(start, min(start + _ROWS_SORTED_TOGETHER, len(texts)))
        block = block[np.argsort(lengths[block], kind="stable")]
        for cut in range(0, len(block), batch_size):
            yield maker._make(block[cut : cut + batch_size], 0)


def padded(
    texts: list[np.ndarray],
    pairs: list[np.ndarray] | None,
    *,
    size: int,
    max_length: int,
    truncate: Truncate,
    at_least: int = 1,
) -> Batch:
    """Returns rows of ids as one array, padded at the right to a length from a short list of lengths.

    An empty text becomes one unknown token, so that every row has a step to look at.

    Args:
        texts: Token ids.
        pairs: Token ids of the second texts.
        size: Rows of the array; those beyond the texts are padding.
        max_length: Tokens a row is cut to; of a pair, the longer text is cut first.
        truncate: Which end goes.
        at_least: Tokens of a row that is not among them but decides on the length too.
    """
    if pairs is None:
        rows = [cut_to(row, max_length, truncate) for row in texts]
        segments: list[int] = []
    else:
        joined = [_joined(row, pair, max_length, truncate) for row, pair in zip(texts, pairs, strict=True)]
        rows, segments = [row for row, _ in joined], [first for _, first in joined]
    lengths = np.fromiter((max(len(row), 1) for row in rows), np.int64, len(rows))
    width = bucket_length(int(lengths.max(initial=at_least)), max_length)
    token_ids = np.zeros((size, width), np.int32)
    for number, row in enumerate(rows):
        if len(row):
            token_ids[number, : len(row)] = row
        else:
            token_ids[number, 0] = UNKNOWN_ID
    if pairs is None:
        return {"token_ids": token_ids}
    places = np.arange(width)[None]
    firsts = np.pad(np.array(segments, np.int64), (0, size - len(rows)))
    segment_ids = ((places >= firsts[:, None]) & (token_ids != 0)).astype(np.int32)
    return {"token_ids": token_ids, "segment_ids": segment_ids}


def bucket_length(length: int, max_length: int) -> int:
    """Returns the next of 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, …, at most `max_length` where that is larger."""
    if length <= 32:
        bucket = -(-length // 8) * 8
    else:
        power = 1 << (length - 1).bit_length()  # the next power of two
        bucket = power * 3 // 4 if length <= power * 3 // 4 else power
    return min(bucket, max(max_length, length))


def cut_to(row: np.ndarray, length: int, truncate: Truncate) -> np.ndarray:
    """Returns at most `length` ids of a row."""
    if len(row) <= length:
        return row
    if truncate == "end":
        return row[:length]
    if truncate == "start":
        return row[-length:]
    head = (length + 1) // 2
    return np.concatenate([row[:head], row[len(row) - (length - head) :]])


def _joined(first: np.ndarray, second: np.ndarray, length: int, truncate: Truncate) -> tuple[np.ndarray, int]:
    """Returns `first + end + second` and where the second begins."""
    keep_first, keep_second = _kept(len(first), len(second), length)
    first, second = cut_to(first, keep_first, truncate), cut_to(second, keep_second, truncate)
    return np.concatenate([first, [END_ID], second]).astype(np.int64), len(first) + 1


def _kept(first: int, second: int, length: int) -> tuple[int, int]:
    """Returns the tokens that are kept of each text of a pair, whose lengths are given."""
    room = max(length - 1, 2)
    keep_first = min(first, max(room - second, room - room // 2))
    return keep_first, min(second, room - keep_first)
