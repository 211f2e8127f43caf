"""Scores of classifiers, accumulated batch by batch in memory that does not grow with the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_CALIBRATION_BINS = 15
_RESAMPLES = 1000
_SMALLEST = 1e-12


class ClassificationScores:
    """Accuracy, F1, log loss and calibration of a classifier with one label a row.

    Everything follows from a confusion matrix and a few sums, so a million rows cost no more memory than ten.

    Args:
        names: The classes, in the order of the probabilities' columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        count = len(self.names)
        self.confusion = np.zeros((count, count), np.int64)  # (target, predicted)
        self._log_loss = 0.0
        self._bins = np.zeros((_CALIBRATION_BINS, 3))  # rows, confidence, correct

    def update(self, probabilities: np.ndarray, targets: np.ndarray) -> None:
        """Adds rows.

        Args:
            probabilities: Of each class. `(rows, classes)`
            targets: The right class's number. `(rows,)`
        """
        predicted = probabilities.argmax(-1)
        np.add.at(self.confusion, (targets, predicted), 1)
        right = probabilities[np.arange(len(targets)), targets].astype(np.float64)
        self._log_loss -= np.log(np.maximum(right, _SMALLEST)).sum()
        confidence = probabilities.max(-1).astype(np.float64)
        bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
        np.add.at(self._bins, bins, np.stack([np.ones(len(bins)), confidence, predicted == targets], -1))

    @property
    def rows(self) -> int:
        """Rows added so far."""
        return int(self.confusion.sum())

    def results(self, *, seed: int = 0) -> dict[str, Any]:
        """Returns all scores, JSON-serialisable.

        Args:
            seed: Of the bootstrap.
        """
        rows = max(self.rows, 1)
        per_class = _per_class(self.names, np.diag(self.confusion), self.confusion.sum(0), self.confusion.sum(1))
        gap = np.abs(self._bins[:, 1] - self._bins[:, 2]).sum() / rows
        return {
            "accuracy": float(np.trace(self.confusion) / rows),
            "macro_f1": _macro_f1(self.confusion),
            "micro_f1": float(np.trace(self.confusion) / rows),
            "loss": float(self._log_loss / rows),
            "calibration_error": float(gap),
            "majority_accuracy": float(self.confusion.sum(1).max() / rows),
            "interval": self._interval(seed),
            "rows": self.rows,
            "per_class": per_class,
            "confusion": {"labels": self.names, "matrix": self.confusion.tolist()},
        }

    def _interval(self, seed: int) -> dict[str, Any]:
        """95 % bootstrap intervals: resampling rows is a multinomial draw over the confusion matrix's cells."""
        cells = np.argwhere(self.confusion)
        if not len(cells):
            return {}
        counts = self.confusion[cells[:, 0], cells[:, 1]]
        drawn = np.random.default_rng(seed).multinomial(self.rows, counts / counts.sum(), size=_RESAMPLES)
        hits = cells[:, 0] == cells[:, 1]
        accuracy = drawn[:, hits].sum(1) / self.rows
        macro = [_macro_f1(_matrix(cells, row, len(self.names))) for row in drawn[:: _RESAMPLES // 200]]
        return {
            "level": 0.95,
            "accuracy": np.quantile(accuracy, [0.025, 0.975]).tolist(),
            "macro_f1": np.quantile(macro, [0.025, 0.975]).tolist(),
        }


class MultiLabelScores:
    """Scores of a classifier with any number of labels a row.

    Args:
        names: The classes.
        threshold: Probability from which a class counts as predicted.
    """

    def __init__(self, names: Sequence[str], threshold: float = 0.5) -> None:
        self.names = list(names)
        self.threshold = threshold
        self._counts = np.zeros((3, len(self.names)), np.int64)  # right, predicted, target
        self._rows, self._exact, self._loss = 0, 0, 0.0

    def update(self, probabilities: np.ndarray, targets: np.ndarray) -> None:
        """Adds rows; both arrays are `(rows, classes)`, targets of 0 and 1."""
        predicted, wanted = probabilities >= self.threshold, targets >= 0.5
        self._counts += np.stack([(predicted & wanted).sum(0), predicted.sum(0), wanted.sum(0)])
        self._exact += int((predicted == wanted).all(-1).sum())
        right = np.where(wanted, probabilities, 1.0 - probabilities).astype(np.float64)
        self._loss -= np.log(np.maximum(right, _SMALLEST)).mean(-1).sum()
        self._rows += len(targets)

    def results(self, *, seed: int = 0) -> dict[str, Any]:
        """Returns all scores, JSON-serialisable; `accuracy` counts rows whose every label is right."""
        rows = max(self._rows, 1)
        right, predicted, wanted = self._counts
        per_class = _per_class(self.names, right, predicted, wanted)
        present = [scores["f1"] for scores in per_class.values() if scores["rows"] or scores["predicted"]]
        drawn = np.random.default_rng(seed).binomial(self._rows, self._exact / rows, _RESAMPLES) / rows
        return {
            "accuracy": self._exact / rows,
            "macro_f1": float(np.mean(present)) if present else 0.0,
            "micro_f1": float(_f1(right.sum(), predicted.sum(), wanted.sum())),
            "loss": self._loss / rows,
            "interval": {"level": 0.95, "accuracy": np.quantile(drawn, [0.025, 0.975]).tolist()},
            "rows": self._rows,
            "per_class": per_class,
        }


def _per_class(names: Sequence[str], right: Any, predicted: Any, wanted: Any) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "precision": float(right[i] / predicted[i]) if predicted[i] else 0.0,
            "recall": float(right[i] / wanted[i]) if wanted[i] else 0.0,
            "f1": float(_f1(right[i], predicted[i], wanted[i])),
            "rows": int(wanted[i]),
            "predicted": int(predicted[i]),
        }
        for i, name in enumerate(names)
    }


def _f1(right: Any, predicted: Any, wanted: Any) -> Any:
    total = predicted + wanted
    return np.where(total > 0, 2 * right / np.maximum(total, 1), 0.0)


def _macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 over the classes that stand among the targets or the predictions."""
    total = confusion.sum(0) + confusion.sum(1)
    if not total.any():
        return 0.0
    return float((2 * np.diag(confusion)[total > 0] / total[total > 0]).mean())


def _matrix(cells: np.ndarray, counts: np.ndarray, classes: int) -> np.ndarray:
    matrix = np.zeros((classes, classes), np.int64)
    matrix[cells[:, 0], cells[:, 1]] = counts
    return matrix
