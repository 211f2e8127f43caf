"""Integrated gradients of functions whose integrals are known."""

from __future__ import annotations

import numpy as np
import pytest

from textseq.explaining.integrated_gradients import Attributions, Evaluate, integrate


def along(function: object, slope: object) -> Evaluate:
    """Returns a line's points for a function of the fraction, with one token's slope or several."""
    return lambda places: (function(places), np.reshape(slope(places), (len(places), -1)))  # type: ignore[operator]


def test_a_sum_of_powers_gives_each_token_its_own() -> None:
    powers = np.array([1, 2, 3])
    found = integrate(
        lambda at: ((at[:, None] ** powers).sum(1), powers * at[:, None] ** (powers - 1)),
    )
    assert found.values == pytest.approx([1, 1, 1])  # each power grows from 0 to 1
    assert found.completeness_error < 1e-12
    assert found.points == 17


def test_a_product_is_shared_by_its_factors() -> None:
    # x·y from (0, 0) to (2, 3): each factor's integral is 6 · ∫ t dt = 3.
    found = integrate(lambda at: (6 * at**2, np.stack([6 * at, 6 * at], -1)))
    assert found.values == pytest.approx([3, 3])


@pytest.mark.parametrize("kink", [0.3337, 0.71, 0.002])
def test_a_kink_is_looked_at_closely_and_the_rest_is_not(kink: float) -> None:
    seen: list[float] = []

    def evaluate(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.extend(at)
        return np.maximum(at - kink, 0.0) * 10, 10.0 * (at > kink)[:, None]

    found = integrate(evaluate, tolerance=1e-4)
    assert found.completeness_error <= 1e-4
    assert found.points == len(seen) == len(set(seen)) < 80
    assert (np.abs(np.array(seen[17:]) - kink) <= 0.125).all()  # the first 17 are those of 8 even pieces


def test_a_jump_near_the_baseline_adds_up() -> None:
    # As a normalisation does to vectors that begin at nothing.
    found = integrate(lambda at: (at / (at + 1e-3), (1e-3 / (at + 1e-3) ** 2)[:, None]), tolerance=0.005)
    assert found.completeness_error <= 0.005


def test_points_are_limited_and_the_error_is_told() -> None:
    random = np.random.default_rng(0)
    found = integrate(lambda at: (at, random.normal(size=(len(at), 2)) * 50), most_points=200)
    assert 200 <= found.points <= 202
    assert found.completeness_error > 0.005


def test_parts_that_cancel_are_not_taken_for_right() -> None:
    # Slopes wrong by as much upwards in one half as downwards in the other: the sum is right, the pieces are not.
    found = integrate(lambda at: (at, np.where(at < 0.5, 2.0, 0.0)[:, None]), most_points=100)
    assert found.points >= 100


def test_the_completeness_error_is_the_missing_fraction() -> None:
    assert Attributions(np.array([1.0, 2.0]), output=5.0, baseline=1.0, points=3).completeness_error == 0.25
    assert Attributions(np.array([0.5, -0.5]), output=1.0, baseline=1.0, points=3).completeness_error == 0.0
    assert Attributions(np.array([0.5]), output=1.0, baseline=1.0, points=3).completeness_error == float("inf")
