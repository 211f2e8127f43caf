"""Windows over one contiguous stream of tokens, for language models: every token is a target exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from textseq.data.shards import WHOLE, Shard
from textseq.data.tokenizers.base import START_ID

Batch = dict[str, np.ndarray]


class Windows:
    """The stream of a split, cut into `batch_size` parallel streams and those into windows.

    The stream is all rows one after the other, an end token after each where asked. It is gathered window by window
    from where the rows lie; nothing is joined in memory.

    Args:
        texts: Token ids by row.
        end_id: The token after each row; None for none.
        batch_size: Parallel streams.
        window: Tokens of a window.
        carry: Whether windows follow each other, so that state can be carried. Without, the stream is cut anew each
            epoch at a random place, and the windows shuffled.
        seed: Of the shuffle and of the restarts.
        restarts: Fraction of windows that begin as a text does: with the start token and no past.
        shard: The rows of each batch that are made.
        steps: Batches of an epoch, where fewer than the stream has. Where windows follow each other, the next epoch
            goes on from there, so that all of the stream is read.

    Attributes:
        ends: Where each row ends in the stream, its end token counted. `(rows,)`
    """

    fixed_shape = True

    def __init__(
        self,
        texts: Any,
        *,
        end_id: int | None,
        batch_size: int,
        window: int,
        carry: bool = True,
        seed: int = 0,
        restarts: float = 0.0,
        shard: Shard = WHOLE,
        steps: int | None = None,
    ) -> None:
        self.texts, self.end_id, self.restarts, self.shard = texts, end_id, restarts, shard
        self.batch_size, self.window, self.carry, self.seed = batch_size, window, carry, seed
        lengths = texts.lengths.astype(np.int64) + (0 if end_id is None else 1)
        self.ends = np.cumsum(lengths)
        self.tokens = int(self.ends[-1]) if len(lengths) else 0
        self._stream_length = -(-self.tokens // batch_size)
        self._steps = steps

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return self._steps_of_all if self._steps is None else min(self._steps, self._steps_of_all)

    @property
    def _steps_of_all(self) -> int:
        """Batches that read the whole stream."""
        if self.carry:
            return -(-self._stream_length // self.window)
        return -(-(-(-self.tokens // self.window) + 1) // self.batch_size)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yields the windows of one epoch.

        Args:
            epoch: Counted from 0.
            first_step: Batches left out at the beginning.

        Yields:
            `token_ids` and `targets` (batch, window) int32; `weights` (batch, window) float32, 0 where there is no
            target; `reset` (batch,) float32, 1 where a row begins a new stream. Of a shard, its rows of
            these, and `tokens` of all.
        """
        starts = self._carried_starts() if self.carry else self._shuffled_starts(epoch)
        mine = self.shard.rows(self.batch_size)
        for step in range(first_step, self.steps_per_epoch):
            place = self._place(epoch, step)
            begins, ends = starts(place)
            batch = self._gather(begins[mine], ends[mine])
            batch["reset"] = np.full(len(batch["targets"]), float(not self.carry or place == 0), np.float32)
            restart(batch, drawn_restarts((self.seed, epoch, step), self.batch_size, self.restarts)[mine])
            yield batch if self.shard == WHOLE else {**batch, "tokens": (ends - begins).sum()}

    def rows(self, epoch: int, step: int) -> np.ndarray:
        """Returns which rows of the dataset the targets of a whole batch stand in."""
        starts = self._carried_starts() if self.carry else self._shuffled_starts(epoch)
        begins, ends = starts(self._place(epoch, step))
        firsts = np.searchsorted(self.ends, begins, side="right")
        lasts = np.searchsorted(self.ends, ends, side="left")
        spans = zip(firsts[ends > begins].tolist(), lasts[ends > begins].tolist(), strict=True)
        return np.unique(np.concatenate([np.zeros(0, np.int64), *(np.arange(low, high + 1) for low, high in spans)]))

    def _place(self, epoch: int, step: int) -> int:
        """Which of the batches over the whole stream a step of an epoch is."""
        return (epoch * self.steps_per_epoch + step) % self._steps_of_all if self.carry else step

    def spans(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the targets of a step begin and end in the stream, where windows follow each other.

        Args:
            step: Counted from 0.
        """
        begins, ends = self._carried_starts()(step)
        return begins, ends

    def _carried_starts(self) -> Any:
        """Row b reads the stream from b·length on; each stream ends where the next begins."""
        firsts = np.arange(self.batch_size, dtype=np.int64) * self._stream_length
        lasts = np.minimum(firsts + self._stream_length, self.tokens)

        def starts(step: int) -> tuple[np.ndarray, np.ndarray]:
            begins = np.minimum(firsts + step * self.window, lasts)
            return begins, np.minimum(begins + self.window, lasts)

        return starts

    def _shuffled_starts(self, epoch: int) -> Any:
        """Windows from a random offset on; the first is the short one before it."""
        generator = np.random.default_rng([self.seed, epoch])
        offset = int(generator.integers(0, self.window))
        edges = np.arange(offset, self.tokens + self.window, self.window, dtype=np.int64)
        begins = np.concatenate([[0], np.minimum(edges, self.tokens)])
        ends = np.concatenate([begins[1:], [self.tokens]])
        begins, ends = begins[ends > begins], ends[ends > begins]
        order = generator.permutation(len(begins))
        padding = np.full(self._steps_of_all * self.batch_size - len(order), -1)
        order = np.concatenate([order, padding]).reshape(-1, self.batch_size)

        def starts(step: int) -> tuple[np.ndarray, np.ndarray]:
            rows = order[step]
            last = np.full(1, self.tokens)  # where a row of -1 looks: an empty window
            return np.append(begins, last)[rows], np.append(ends, last)[rows]

        return starts

    def _gather(self, begins: np.ndarray, ends: np.ndarray) -> Batch:
        token_ids = np.zeros((len(begins), self.window), np.int32)
        targets = np.zeros((len(begins), self.window), np.int32)
        weights = np.zeros((len(begins), self.window), np.float32)
        for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            count = end - begin
            if count <= 0:
                continue
            piece = self.read(begin - 1, end)
            token_ids[row, :count], targets[row, :count], weights[row, :count] = piece[:-1], piece[1:], 1.0
        return {"token_ids": token_ids, "targets": targets, "weights": weights}

    def read(self, begin: int, end: int) -> np.ndarray:
        """Returns tokens `begin` to `end` of the stream; the one before the first is the start token."""
        parts: list[Any] = []
        if begin < 0:
            parts.append([START_ID])
            begin = 0
        row = int(np.searchsorted(self.ends, begin, side="right"))
        while begin < end:
            row_begin = int(self.ends[row - 1]) if row else 0
            ids = self.texts.row(row)
            piece = ids[begin - row_begin : end - row_begin]
            parts.append(piece)
            begin += len(piece)
            if begin < end and self.end_id is not None and begin - row_begin == len(ids):
                parts.append([self.end_id])
                begin += 1
            row += 1
        return np.concatenate([np.asarray(part, np.int32) for part in parts]) if parts else np.zeros(0, np.int32)


def drawn_restarts(seed: tuple[int, ...], rows: int, fraction: float) -> np.ndarray:
    """Returns which rows of a batch restart, the same for the same seed. `(rows,)` of bool."""
    return np.random.default_rng(seed).random(rows) < fraction


def restart(batch: Batch, rows: np.ndarray) -> None:
    """Lets some rows of a batch begin as a text does, which is how a trained model meets every text.

    State that is carried on through all of the training makes a model that has never begun, and does badly at it.

    Args:
        batch: What `Windows` yields; changed.
        rows: True at those rows. `(batch,)`
    """
    batch["reset"][rows] = 1.0
    batch["token_ids"][rows & (batch["weights"][:, 0] > 0), 0] = START_ID
