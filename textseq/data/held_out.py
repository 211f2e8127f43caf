"""Rows held out of train for validation: a share of each class, or the end of the text."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.errors import DataError, problem


def held_out_rows(train: Any, data: DataConfig, seed: int) -> tuple[Any, Any]:
    """Cuts a validation split out of train.

    With labels, `validation_fraction` of each class is drawn at random; a class of one row stays in train. Without,
    the last rows are taken (of a single row, its last characters), for texts that follow each other belong together.

    Args:
        train: All rows.
        data: Names the label column and the fraction.
        seed: Of the draw.

    Returns:
        `(train, validation)`

    Raises:
        DataError: There are too few rows to hold any out, or they are streamed.
    """
    if data.streaming:
        raise DataError(problem("data.splits.validation", "a streamed dataset needs a validation split of its own"))
    if data.label is None:
        return _last_part(train, data)
    rows = len(train)
    chosen = _stratified(_keys(train, data.label), data.validation_fraction, np.random.default_rng(seed))
    if not len(chosen) or len(chosen) == rows:
        raise DataError(
            problem("data.validation_fraction", f"leaves nothing of {rows} rows on one side", way_out="Add rows")
        )
    kept = np.setdiff1d(np.arange(rows), chosen)
    return train.select(kept).flatten_indices(), train.select(chosen).flatten_indices()


def _keys(train: Any, label: str | list[str]) -> np.ndarray:
    """Returns a string for each row's label, or for all its labels."""
    columns = [label] if isinstance(label, str) else label
    return np.array([repr(row) for row in zip(*(train[column] for column in columns), strict=True)])


def _stratified(keys: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Draws `fraction` of the rows of each key; rounding is settled so that the total comes out right."""
    _, classes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = generator.permutation(len(keys))
    order = order[np.argsort(classes[order], kind="stable")]  # by class, shuffled inside
    ends = np.cumsum(counts * fraction)
    quotas = np.diff(np.concatenate([[0], np.floor(ends + 0.5)])).astype(int)
    quotas = np.minimum(quotas, counts - 1)
    starts = np.cumsum(counts) - counts
    drawn = [order[start : start + quota] for start, quota in zip(starts, quotas, strict=True)]
    return np.sort(np.concatenate(drawn))


def _last_part(train: Any, data: DataConfig) -> tuple[Any, Any]:
    import datasets

    rows = len(train)
    if rows > 1:
        cut = min(max(round(rows * (1 - data.validation_fraction)), 1), rows - 1)
        return train.select(range(cut)), train.select(range(cut, rows)).flatten_indices()
    text = train[0][data.text] or ""
    cut = round(len(text) * (1 - data.validation_fraction))
    if not 0 < cut < len(text):
        raise DataError(problem("data.validation_fraction", f"leaves nothing of {len(text)} characters on one side"))
    parts = [datasets.Dataset.from_dict({data.text: [part]}) for part in (text[:cut], text[cut:])]
    return parts[0], parts[1]
