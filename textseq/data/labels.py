"""Classes: their names and order, learned from the train split, and the numbers that stand for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.errors import DataError, problem, unknown

_ROWS_AT_ONCE = 10_000
_STREAMED_ROWS = 200_000


@dataclass(frozen=True)
class Labels:
    """The classes of a dataset.

    Attributes:
        names: In the order of the model's outputs.
        multi: Whether a row may have any number of them.
        columns: The label columns; a list of them in the config makes each column a class.
        coded: Whether rows hold numbers of classes (ClassLabel) rather than names.
    """

    names: tuple[str, ...]
    multi: bool
    columns: tuple[str, ...]
    coded: bool = False

    @classmethod
    def fit(cls, splits: Any, data: DataConfig) -> Labels:
        """Learns the classes from the train split; of a stream without named classes, from its first 200,000 rows.

        Raises:
            DataError: There is no label column, a label is missing, or there are fewer than two classes.
        """
        if data.label is None:
            raise DataError(problem("data.label", "is missing: classification needs a column of labels"))
        if isinstance(data.label, list):
            return cls(tuple(data.label), multi=True, columns=tuple(data.label))
        feature = splits.sample.features[data.label]
        inner = getattr(feature, "feature", None)
        multi = isinstance(feature, list) or inner is not None
        inner = feature[0] if isinstance(feature, list) else inner
        names = getattr(inner if multi else feature, "names", None)
        if names:
            labels = cls(tuple(names), multi, (data.label,), coded=True)
        else:
            labels = cls(_distinct(splits.train, data.label, multi), multi, (data.label,))
        present = len(np.unique(labels.encode(splits.sample))) if not multi else len(labels.names)
        if present < 2:
            raise DataError(
                problem(
                    "data.label",
                    f"the train split has one class only in column '{data.label}'",
                    received=labels.names[0] if labels.names else None,
                    way_out="There is nothing to tell apart; name another column",
                )
            )
        return labels

    def encode(self, dataset: Any) -> np.ndarray:
        """Returns the classes of a split's rows: `(rows,)` int32, or `(rows, classes)` float32 of 0 and 1 for many.

        Raises:
            DataError: A label is missing, or is of no class that train has.
        """
        if self._columns_are_classes:
            return np.stack([_marks(_values(dataset, column), column) for column in self.columns], -1)
        return self._encode(_values(dataset, self.columns[0]))

    def encode_columns(self, columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Returns what `encode` does, for rows that are given as lists, column by column."""
        if self._columns_are_classes:
            return np.stack([_marks(columns[column], column) for column in self.columns], -1)
        return self._encode(columns[self.columns[0]])

    @property
    def _columns_are_classes(self) -> bool:
        return self.multi and self.columns == self.names

    def _encode(self, values: Iterable[Any]) -> np.ndarray:
        numbers = {_name(name): number for number, name in enumerate(self.names)}
        rows: list[Any] = []
        for value in values:
            if self.multi:
                rows.append(self._many(value, numbers, len(rows)))
            else:
                rows.append(self._one(value, numbers, len(rows)))
        return np.stack(rows) if self.multi else np.array(rows, np.int32)

    def to_json(self) -> dict[str, Any]:
        """Returns what `labels.json` holds."""
        return {"names": list(self.names), "multi": self.multi, "columns": list(self.columns), "coded": self.coded}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Labels:
        """Takes what `to_json` returned."""
        return cls(tuple(value["names"]), value["multi"], tuple(value["columns"]), value["coded"])

    def _one(self, value: Any, numbers: Mapping[str, int], row: int) -> int:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise DataError(
                problem(f"data.label, row {row}", "has no label", received=value, way_out="Drop or label such rows")
            )
        if self.coded:
            if not 0 <= value < len(self.names):
                raise DataError(
                    problem(
                        f"data.label, row {row}",
                        "is of no class (-1 stands for unlabelled rows)",
                        received=value,
                        way_out="Name a labelled split in data.splits",
                    )
                )
            return int(value)
        if _name(value) not in numbers:
            raise DataError(f"data.label, row {row}: {unknown('class', _name(value), self.names)}")
        return numbers[_name(value)]

    def _many(self, values: Any, numbers: Mapping[str, int], row: int) -> np.ndarray:
        encoded = np.zeros(len(self.names), np.float32)
        encoded[[self._one(value, numbers, row) for value in values or []]] = 1.0
        return encoded


def _distinct(dataset: Any, column: str, multi: bool) -> tuple[str, ...]:
    """Returns the classes of a column of plain values: numbers in their order, words in the alphabet's."""
    found: set[Any] = set()
    for row, value in enumerate(_values(dataset, column)):
        for item in (value or []) if multi else [value]:
            if item is None or (isinstance(item, float) and math.isnan(item)):
                raise DataError(
                    problem(f"data.label, row {row}", "has no label", received=item, way_out="Drop or label such rows")
                )
            if item == -1:
                way_out = "-1 stands for unlabelled rows: name a labelled split in data.splits"
                raise DataError(problem(f"data.label, row {row}", "is unlabelled", received=item, way_out=way_out))
            found.add(item)
    ordered = sorted(found, key=lambda item: (isinstance(item, str), item))
    return tuple(_name(item) for item in ordered)


def _marks(values: Iterable[Any], column: str) -> np.ndarray:
    """Returns a column of 0 and 1, or of false and true. `(rows,)`."""
    marks = []
    for row, value in enumerate(values):
        if value not in (0, 1):
            wrong = f"column '{column}' stands for a class, so it must hold 0 and 1, or false and true"
            raise DataError(problem(f"data.label, row {row}", wrong, received=value))
        marks.append(float(value))
    return np.array(marks, np.float32)


def _name(value: Any) -> str:
    """Returns a class's name; 1.0 and 1 are one class."""
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)


def _values(dataset: Any, column: str) -> Iterator[Any]:
    if not hasattr(dataset, "num_rows"):
        dataset = dataset.take(_STREAMED_ROWS)
    for batch in dataset.select_columns([column]).iter(batch_size=_ROWS_AT_ONCE):
        yield from batch[column]
