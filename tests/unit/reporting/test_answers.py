"""What rows add up to: bins of certainty and of length, confusions and their order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from textseq.reporting.answers import (
    confused_pairs,
    confusion,
    errors_by_length,
    neighbours_first,
    reliability,
    right,
    wilson,
)
from textseq.tasks.rows import RowRecord


def record(target: list[int], predicted: list[int], sure: list[float], length: list[int]) -> RowRecord:
    arrays = {
        "target": np.array(target),
        "best": np.array(predicted)[:, None],
        "probability": np.array(sure, np.float32)[:, None],
        "length": np.array(length),
    }
    return RowRecord({"kind": "one label", "classes": ["a", "b", "c"]}, arrays)


ROWS = record([0, 0, 1, 2, 2], [0, 1, 1, 2, 0], [0.95, 0.92, 0.55, 1.0, 0.51], [1, 2, 3, 40, 50])


def test_rows_add_up_to_a_confusion_matrix() -> None:
    assert right(ROWS).tolist() == [True, False, True, True, False]
    assert confusion(ROWS).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_reliability_compares_certainty_with_what_is_right() -> None:
    low, high = reliability(ROWS)
    assert (low.low, low.rows, low.share) == (0.5, 2, 0.5)
    assert low.middle == pytest.approx(0.53)
    assert (high.low, high.rows, high.share) == (0.9, 3, pytest.approx(2 / 3))


def test_every_row_is_in_one_bin_of_length() -> None:
    for lengths in ([1, 2, 3, 40, 50], [7] * 5, [0, 0, 0, 0, 9]):
        bins = errors_by_length(record([0] * 5, [0, 1, 0, 1, 1], [1.0] * 5, lengths))
        assert sum(each.rows for each in bins) == 5
        assert sum(each.rows * each.share for each in bins) == pytest.approx(3)
        assert [each.low for each in bins] == sorted({each.low for each in bins})


@pytest.mark.parametrize(("hits", "rows"), [(0, 5), (3, 7), (50, 100), (100, 100)])
def test_intervals_of_shares_are_wilsons(hits: int, rows: int) -> None:
    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits, rows) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_confusions_are_ordered_by_their_share_where_there_are_rows_enough_to_tell() -> None:
    matrix = np.array([[500, 200, 0], [0, 8, 3], [9, 0, 91]])  # 29 %, 27 % of eleven rows, 9 %
    assert confused_pairs(matrix, 5) == [(0, 1, 200), (1, 2, 3), (2, 0, 9)]
    assert confused_pairs(matrix, 1) == [(0, 1, 200)]
    assert confused_pairs(np.diag([1, 2]), 5) == []


def test_classes_that_are_confused_stand_side_by_side() -> None:
    matrix = np.diag([50] * 8)
    for first, second in ((0, 5), (5, 3), (3, 7), (1, 6), (6, 2)):  # two chains; nobody is taken for 4
        matrix[first, second] = matrix[second, first] = 20
    shown = "".join(map(str, neighbours_first(matrix)))
    assert shown in {f"{long}{short}4" for long in ("0537", "7350") for short in ("162", "261")}
