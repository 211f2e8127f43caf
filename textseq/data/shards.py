"""Which rows of every batch a process makes, where several processes train one model."""

from __future__ import annotations

from dataclasses import dataclass

from textseq.errors import UsageError, problem


@dataclass(frozen=True)
class Shard:
    """A contiguous part of each batch; all parts are equally large.

    Attributes:
        index: Which part, counted from 0.
        count: Parts in all.
    """

    index: int = 0
    count: int = 1

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
