"""Tests of significance against SciPy, against arithmetic and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from textseq.reporting.comparison.significance import bootstrap_p, coin_tosses, holm, interval, mcnemar


@pytest.mark.parametrize(("heads", "tosses"), [(0, 0), (0, 1), (3, 3), (5, 20), (10, 20), (40, 100), (1200, 2000)])
def test_coin_tosses_are_the_binomial_test(heads: int, tosses: int) -> None:
    expected = binomtest(heads, tosses).pvalue if tosses else 1.0
    assert coin_tosses(heads, tosses) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_looks_only_at_rows_that_one_alone_has_right() -> None:
    first = np.array([1, 1, 1, 1, 0, 1, 0, 1], bool)
    second = np.array([0, 0, 0, 0, 1, 1, 0, 1], bool)
    assert mcnemar(first, second) == (4, 1, pytest.approx(2 * (1 + 5) / 2**5))


def test_equal_models_are_rarely_called_different() -> None:
    generator = np.random.default_rng(0)
    found = [mcnemar(*(generator.random((2, 500)) < 0.8))[2] for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_holm_multiplies_the_smallest_by_how_many_there_are_and_never_falls() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_bootstrap_counts_what_lies_beyond_zero() -> None:
    assert bootstrap_p(np.array([1.0] * 999)) == pytest.approx(2 / 1000)
    assert bootstrap_p(np.array([-1.0] * 50 + [1.0] * 49)) == 1.0


def test_an_interval_holds_95_per_cent() -> None:
    low, high = interval(np.arange(1001.0))
    assert (low, high) == pytest.approx((25, 975))
