"""Collects what a classifier said of each row of a split."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.data.audit import text_hashes
from textseq.data.labels import Labels
from textseq.tasks.base import EncodedSplit
from textseq.tasks.rows import RowRecord

_BEST = 5  # classes kept of each row
_MISTAKES = 60
_CHARACTERS = 600
_SMALLEST = 1e-12


class ClassifiedRows:
    """The likeliest classes of each row, or, with several labels a row, how many were right.

    Some twenty bytes a row are kept, whatever the number of classes; texts of the worst mistakes alone.

    Args:
        split: The rows, tokenised.
        labels: The classes.
        threshold: Probability from which a class counts as predicted, with several labels a row.
    """

    def __init__(self, split: EncodedSplit, labels: Labels, threshold: float) -> None:
        rows, best = len(split.texts), min(_BEST, len(labels.names))
        self.split, self.labels, self.threshold = split, labels, threshold
        self._loss = np.zeros(rows, np.float32)
        if labels.multi:
            self._counts = np.zeros((rows, 3), np.uint16)  # right, predicted, wanted
            self._exact = np.zeros(rows, bool)
        else:
            kind = np.min_scalar_type(len(labels.names) - 1)
            self._best = np.zeros((rows, best), kind)
            self._probabilities = np.zeros((rows, best), np.float32)

    def update(self, rows: np.ndarray, probabilities: np.ndarray, targets: np.ndarray) -> None:
        """Adds rows.

        Args:
            rows: Their numbers in the split. `(rows,)`
            probabilities: `(rows, classes)`
            targets: `(rows,)`, or `(rows, classes)` of 0 and 1.
        """
        if self.labels.multi:
            predicted, wanted = probabilities >= self.threshold, targets >= 0.5
            self._counts[rows] = np.stack([(predicted & wanted).sum(1), predicted.sum(1), wanted.sum(1)], -1)
            self._exact[rows] = (predicted == wanted).all(1)
            right = np.where(wanted, probabilities, 1.0 - probabilities).astype(np.float64)
            self._loss[rows] = -np.log(np.maximum(right, _SMALLEST)).mean(1)
            return
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, : self._best.shape[1]]  # ties as argmax has them
        self._best[rows] = order
        self._probabilities[rows] = np.take_along_axis(probabilities, order, 1)
        right = probabilities[np.arange(len(targets)), targets].astype(np.float64)
        self._loss[rows] = -np.log(np.maximum(right, _SMALLEST))

    def record(self, data: DataConfig) -> RowRecord:
        """Returns what to keep.

        Args:
            data: Names the columns of the texts.
        """
        split = self.split
        lengths = split.texts.lengths if split.pair is None else split.texts.lengths + split.pair.lengths
        arrays = {
            "text_hash": text_hashes(split.dataset, data),
            "length": np.asarray(lengths, np.int32),
            "loss": self._loss,
        }
        if self.labels.multi:
            arrays |= {"counts": self._counts, "exact": self._exact}
        else:
            arrays |= {"best": self._best, "probability": self._probabilities}
            arrays["target"] = np.asarray(split.targets).astype(self._best.dtype)
        about = {
            "kind": "several labels" if self.labels.multi else "one label",
            "split": split.name,
            "classes": list(self.labels.names),
            "mistakes": self._mistakes(data),
        }
        return RowRecord(about, arrays)

    def _mistakes(self, data: DataConfig) -> list[dict[str, Any]]:
        """Returns the texts of the mistakes that the model was surest of; with several labels, of the largest loss."""
        if self.labels.multi:
            wrong, surest = ~self._exact, self._loss
        else:
            wrong, surest = self._best[:, 0] != np.asarray(self.split.targets), self._probabilities[:, 0]
        rows = np.flatnonzero(wrong)
        rows = rows[np.argsort(-surest[rows], kind="stable")][:_MISTAKES]
        columns = [data.text] if data.text_pair is None else [data.text, data.text_pair]
        found = self.split.dataset.select_columns(columns).select(rows.tolist())
        texts = zip(*(found[column] for column in columns), strict=True)
        return [
            {"row": int(row), "texts": [_cut(text or "") for text in pair]}
            for row, pair in zip(rows.tolist(), texts, strict=True)
        ]


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
