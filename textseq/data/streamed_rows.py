"""Parts of a stream of rows as datasets that can be read anywhere: in memory, or on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import datasets


def head(rows: Any, count: int, columns: Sequence[str]) -> datasets.Dataset:
    """Returns the first rows of a stream, in memory.

    Args:
        rows: A `datasets.IterableDataset`.
        count: Rows at most.
        columns: What is kept of them.
    """
    kept = list(rows.take(count))
    taken = {column: [row[column] for row in kept] for column in columns}
    return datasets.Dataset.from_dict(taken, features=_features(rows, columns))


def stored(rows: Any, columns: Sequence[str]) -> datasets.Dataset:
    """Returns all rows of a stream, written to `datasets`' cache as they come."""

    def read() -> Iterator[dict[str, Any]]:
        for row in rows:
            yield {column: row[column] for column in columns}

    dataset = datasets.Dataset.from_generator(read, features=_features(rows, columns))
    return dataset if isinstance(dataset, datasets.Dataset) else datasets.Dataset.from_list(list(read()))


def _features(rows: Any, columns: Sequence[str]) -> Any:
    found = rows.features
    return None if found is None else datasets.Features({column: found[column] for column in columns})
