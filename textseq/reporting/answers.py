"""What a classifier's answers, row by row, add up to: certainty, lengths, confusions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from textseq.tasks.rows import RowRecord

_RELIABILITY_BINS = 10
_LENGTH_BINS = 8
_NORMAL_975 = 1.959964  # 97.5 % of a normal distribution lie below


@dataclass(frozen=True)
class Bin:
    """Rows that are alike in something.

    Attributes:
        low: The least of it.
        high: The most of it.
        rows: How many rows.
        middle: Its mean over them.
        share: The share of rows that the chart is about: right ones, or wrong ones.
        interval: Of the share, at 95 %.
    """

    low: float
    high: float
    rows: int
    middle: float
    share: float
    interval: tuple[float, float]


def right(record: RowRecord) -> np.ndarray:
    """Returns whether each row's label, or all its labels, are right. `(rows,)` bool."""
    if "exact" in record.arrays:
        return record.arrays["exact"]
    return record.arrays["best"][:, 0] == record.arrays["target"]


def confusion(record: RowRecord) -> np.ndarray:
    """Returns how often each class was taken for each. `(target, predicted)`."""
    count = len(record.about["classes"])
    matrix = np.zeros((count, count), np.int64)
    np.add.at(matrix, (record.arrays["target"], record.arrays["best"][:, 0]), 1)
    return matrix


def reliability(record: RowRecord) -> list[Bin]:
    """Returns how often the model is right where it says that it is so sure, in ten bins of its certainty."""
    certainty, hits = record.arrays["probability"][:, 0].astype(np.float64), right(record)
    places = np.minimum((certainty * _RELIABILITY_BINS).astype(int), _RELIABILITY_BINS - 1)
    return [
        _bin(number / _RELIABILITY_BINS, (number + 1) / _RELIABILITY_BINS, certainty[inside], hits[inside])
        for number in range(_RELIABILITY_BINS)
        if (inside := places == number).any()
    ]


def errors_by_length(record: RowRecord) -> list[Bin]:
    """Returns the share of wrong rows, in bins of texts of like length with about equally many rows each."""
    lengths, wrong = record.arrays["length"], ~right(record)
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, _LENGTH_BINS + 1)).astype(int))
    places = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for number in np.unique(places):
        inside = places == number
        some = lengths[inside]
        found.append(_bin(int(some.min()), int(some.max()), some, wrong[inside]))
    return found


def confused_pairs(matrix: np.ndarray, most: int) -> list[tuple[int, int, int]]:
    """Returns (target, predicted, rows) of the commonest confusions, by their share of the class.

    The lower end of the share's interval decides, so that a class of few rows needs more than one row to stand high.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    targets, predicted = np.nonzero(wrong)
    counts = wrong[targets, predicted]
    totals = matrix.sum(1)[targets]
    least = [wilson(int(count), int(total))[0] for count, total in zip(counts, totals, strict=True)]
    order = np.argsort(-np.array(least), kind="stable")[:most]
    return [(int(targets[place]), int(predicted[place]), int(counts[place])) for place in order]


def neighbours_first(matrix: np.ndarray) -> np.ndarray:
    """Returns an order of the classes in which those that are taken for each other stand side by side.

    The classes of each piece of the confusions' graph follow its second eigenvector, which makes the distances between
    connected classes small; large pieces come first.

    Source: Barnard et al. 1995 (spectral ordering), https://doi.org/10.1002/nla.1680020402.
    """
    wrong = (matrix - np.diag(np.diag(matrix))).astype(np.float64)
    links = wrong + wrong.T
    return np.concatenate([piece[_along(links[np.ix_(piece, piece)])] for piece in _pieces(links > 0)])


def _pieces(linked: np.ndarray) -> list[np.ndarray]:
    """Returns the classes of each connected piece of a graph, the largest piece first."""
    pieces: list[np.ndarray] = []
    left = np.ones(len(linked), bool)
    while left.any():
        inside = np.zeros(len(linked), bool)
        inside[left.argmax()] = True
        while (grown := inside | linked[inside].any(0)).sum() > inside.sum():
            inside = grown
        pieces.append(np.flatnonzero(inside))
        left &= ~inside
    return sorted(pieces, key=len, reverse=True)


def _along(links: np.ndarray) -> np.ndarray:
    """Returns the order of a connected graph's nodes along the second eigenvector of its Laplacian."""
    if len(links) < 3:
        return np.arange(len(links))
    _, vectors = np.linalg.eigh(np.diag(links.sum(1)) - links)
    second = vectors[:, 1]
    sign = 1.0 if second[np.abs(second).argmax()] >= 0 else -1.0
    return np.argsort(sign * second, kind="stable")


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share, which stays inside 0 to 1 and is honest for few rows.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.
    """
    share, square = hits / rows, _NORMAL_975**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = _NORMAL_975 * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2)) / (1 + square / rows)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _bin(low: float, high: float, values: np.ndarray, hits: np.ndarray) -> Bin:
    rows, count = len(values), int(hits.sum())
    return Bin(low, high, rows, float(values.mean()), count / rows, wilson(count, rows))
