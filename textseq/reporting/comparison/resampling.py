"""A run's scores on rows drawn anew, a thousand times; runs on the same rows are drawn alike, so they can be paired."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from textseq.reporting.answers import right
from textseq.tasks.rows import RowRecord

LEAST_UNITS = 20  # rows or blocks below which an interval would say nothing
_RESAMPLES = 1000
_AT_ONCE = 25
_SEED = 0


class Resamples:
    """What `resampled` returns, worked out once for each run."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bool], tuple[RowRecord, dict[str, np.ndarray]]] = {}

    def of(self, record: RowRecord, *, by_row: bool = False) -> dict[str, np.ndarray]:
        """Returns each score of a run on the resampled rows."""
        key = id(record), by_row
        if key not in self._kept:
            self._kept[key] = (
                record,
                resampled(record, by_row=by_row),
            )  # the record is kept, so that its id stays its own
        return self._kept[key][1]


def resampled(record: RowRecord, *, by_row: bool = False) -> dict[str, np.ndarray]:
    """Returns each score on the resampled rows. `(resamples,)` each; none where there are too few rows.

    Args:
        record: The run's answers.
        by_row: Whether a language model's texts are drawn whole rather than in blocks, for runs whose blocks are not
            the same text.
    """
    kind = record.about["kind"]
    if kind == "language model":
        return _language_model(record, by_row=by_row)
    if len(record.arrays["loss"]) < LEAST_UNITS:
        return {}
    return _one_label(record) if kind == "one label" else _several_labels(record)


def scores(record: RowRecord) -> dict[str, float]:
    """Returns each score on the rows as they are."""
    kind = record.about["kind"]
    units = len(record.arrays["block_nats"] if kind == "language model" else record.arrays["loss"])
    once = np.ones((1, units))
    if kind == "language model":
        found = _language_scores(once, *_units(record, by_row=False))
    else:
        found = _one_label_scores(record, once) if kind == "one label" else _several_scores(record, once)
    return {name: float(values[0]) for name, values in found.items()}


def _draws(units: int) -> Iterator[np.ndarray]:
    """Yields how often each unit is drawn, some resamples at a time. `(resamples, units)`."""
    generator = np.random.default_rng(_SEED)
    for _ in range(_RESAMPLES // _AT_ONCE):
        drawn = generator.integers(0, units, (_AT_ONCE, units))
        yield np.stack([np.bincount(row, minlength=units) for row in drawn]).astype(np.float64)


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _one_label(record: RowRecord) -> dict[str, np.ndarray]:
    return _joined([_one_label_scores(record, weights) for weights in _draws(len(record.arrays["loss"]))])


def _one_label_scores(record: RowRecord, weights: np.ndarray) -> dict[str, np.ndarray]:
    hits, target, predicted = right(record), record.arrays["target"], record.arrays["best"][:, 0]
    classes, rows = len(record.about["classes"]), weights.shape[1]
    macro = []
    for row in weights:
        of_target = np.bincount(target, row, classes)
        total = of_target + np.bincount(predicted, row, classes)
        found = np.bincount(target, row * hits, classes)
        macro.append(float((2 * found[total > 0] / total[total > 0]).mean()))
    return {
        "accuracy": weights @ hits / rows,
        "macro_f1": np.array(macro),
        "loss": weights @ record.arrays["loss"].astype(np.float64) / rows,
    }


def _several_labels(record: RowRecord) -> dict[str, np.ndarray]:
    return _joined([_several_scores(record, weights) for weights in _draws(len(record.arrays["loss"]))])


def _several_scores(record: RowRecord, weights: np.ndarray) -> dict[str, np.ndarray]:
    found, predicted, wanted = (weights @ record.arrays["counts"].astype(np.float64)).T
    rows = weights.shape[1]
    return {
        "accuracy": weights @ right(record) / rows,
        "micro_f1": 2 * found / np.maximum(predicted + wanted, 1),
        "loss": weights @ record.arrays["loss"].astype(np.float64) / rows,
    }


def _language_model(record: RowRecord, *, by_row: bool) -> dict[str, np.ndarray]:
    nats, tokens, sizes, unknown = _units(record, by_row=by_row)
    if len(nats) < LEAST_UNITS:
        return {}
    return _joined([_language_scores(weights, nats, tokens, sizes, unknown) for weights in _draws(len(nats))])


def _language_scores(
    weights: np.ndarray, nats: np.ndarray, tokens: np.ndarray, sizes: np.ndarray, unknown: np.ndarray
) -> dict[str, np.ndarray]:
    paid = weights @ nats
    bits = paid / math.log(2) + 8 * (weights @ unknown)
    loss = paid / np.maximum(weights @ tokens, 1)
    return {"perplexity": np.exp(np.minimum(loss, 700)), "bits_per_byte": bits / np.maximum(weights @ sizes, 1)}


def _units(record: RowRecord, *, by_row: bool) -> tuple[np.ndarray, ...]:
    """Returns nats, tokens, bytes and unknown bytes of each block or row; a block has its share of the row's bytes."""
    arrays, rows = record.arrays, len(record.arrays["bytes"])
    row, nats, tokens = arrays["block_row"], arrays["block_nats"], arrays["block_tokens"].astype(np.float64)
    of_row = np.bincount(row, tokens, rows)
    if by_row:
        return np.bincount(row, nats, rows), of_row, arrays["bytes"], arrays["unknown_bytes"]
    share = tokens / np.maximum(of_row[row], 1)
    return nats, tokens, arrays["bytes"][row] * share, arrays["unknown_bytes"][row] * share
