"""Which rows of every batch a process makes, where several processes train one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from textseq.errors import UsageError, problem


@dataclass(frozen=True)
class Shard:
    """A contiguous part of each batch; all parts are equally large.

    Attributes:
        index: Which part, counted from 0.
        count: Parts in all.
        largest: Takes an array of numbers and returns the largest of each in all parts; all parts must ask alike.
    """

    index: int = 0
    count: int = 1
    largest: Callable[[np.ndarray], np.ndarray] = field(default=np.asarray, compare=False)

    def rows(self, batch_size: int) -> slice:
        """Returns the rows of a batch that are this part.

        Args:
            batch_size: Rows of the whole batch.

        Raises:
            UsageError: The parts would not be equal.
        """
        if batch_size % self.count:
            wrong = f"must be divisible by the number of processes, {self.count}"
            less = batch_size - batch_size % self.count
            way_out = f"Take {less} or {less + self.count}" if less else f"Take {self.count}"
            raise UsageError(problem("training.batch_size", wrong, received=batch_size, way_out=way_out))
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


WHOLE = Shard()

_BATCHES_EVENED_TOGETHER = 50


def own_rows(rows: Any, shard: Shard) -> Any:
    """Returns a part of a stream: whole files where they can be shared out evenly, else every so many-th row.

    Args:
        rows: A `datasets.IterableDataset`.
        shard: Which part.
    """
    if shard.count == 1:
        return rows
    from datasets.distributed import split_dataset_by_node

    return split_dataset_by_node(rows, rank=shard.index, world_size=shard.count)


def evened(batches: Iterable[dict[str, np.ndarray]], shard: Shard) -> Iterator[dict[str, np.ndarray]]:
    """Yields endless batches, each padded to the width that the widest part of it has; `tokens` is an estimate of all.

    Widths are compared for many batches at once, since that takes a word with every other process.

    Args:
        batches: Of this part.
        shard: Which part.
    """
    source = iter(batches)
    while shard.count > 1:
        some = list(islice(source, _BATCHES_EVENED_TOGETHER))
        widths = shard.largest(np.array([batch["token_ids"].shape[1] for batch in some], np.int32))
        for batch, width in zip(some, widths.tolist(), strict=True):
            wider = [(0, 0), (0, width - batch["token_ids"].shape[1])]
            tokens = np.array(np.count_nonzero(batch["token_ids"]) * shard.count)
            ids = {str(name): np.pad(batch[name], wider) for name in ("token_ids", "segment_ids") if name in batch}
            yield {**batch, **ids, "tokens": tokens}
    yield from source
