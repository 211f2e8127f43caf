"""One number for how far a gradient reaches: checked against curves whose number is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from textseq.probing.reach import Curve, Reach, averaged, pieces


@pytest.mark.parametrize("factor", [0.3, 0.9, 0.99])
def test_what_shrinks_by_a_constant_factor_has_its_half_life(factor: float) -> None:
    distances = np.array([0, 1, 2, 3, 5, 8, 20, 50, 200, 2000])
    curve = Curve(distances, 7.0 * factor ** distances.astype(float))
    assert curve.half_length == pytest.approx(math.log(0.5) / math.log(factor), rel=1e-6)


def test_what_does_not_shrink_has_half_of_the_sequence() -> None:
    assert Curve(np.arange(1001), np.ones(1001)).half_length == pytest.approx(499.5)


def test_the_last_step_does_not_count_for_the_half_length() -> None:
    norms = 0.9 ** np.arange(400.0)
    louder = norms.copy()
    louder[0] = 1000.0
    assert Curve(np.arange(400), louder).half_length == Curve(np.arange(400), norms).half_length


def test_where_nothing_reaches_back_there_is_no_half_length() -> None:
    assert math.isnan(Curve(np.arange(5), np.array([1.0, 0, 0, 0, 0])).half_length)


def test_a_norm_that_ends_in_zero_is_all_before_it() -> None:
    assert Curve(np.arange(6), np.array([1.0, 1, 1, 0, 0, 0])).half_length == pytest.approx(0.5, abs=0.01)


def test_the_norm_between_two_distances_lies_on_a_line_between_logarithms() -> None:
    curve = Curve(np.array([0, 10, 20]), np.array([2.0, 2e-2, 2e-6]))
    assert curve.at(5) == pytest.approx(1e-1)
    assert curve.at(15) == pytest.approx(1e-4)
    assert curve.at(21) is None


def test_initialisations_are_averaged_as_orders_of_magnitude() -> None:
    distances = np.arange(2)
    curve = averaged([Curve(distances, np.array([1.0, 1e-2])), Curve(distances, np.array([1.0, 1e-6]))])
    assert curve.norms == pytest.approx([1.0, 1e-4])


@pytest.mark.parametrize("length", [2, 10, 61, 62, 100, 999, 1000, 10_000])
def test_pieces_make_up_the_sequence_in_two_lengths_with_single_steps_at_both_ends(length: int) -> None:
    found = pieces(length)
    assert sum(found) == length
    assert len(set(found)) <= 2
    assert found[0] == found[-1] == 1
    assert len(found) < 400


def test_the_measure_shown_is_the_one_wanted_or_the_next_there_is() -> None:
    curve = Curve(np.arange(3), np.ones(3))
    assert Reach("a", {"input": curve, "output": curve}, 1.0).best("output") == "output"
    assert Reach("a", {"input": curve, "state": curve}, 1.0).best("output") == "state"
    assert Reach("a", {"input": curve}, 1.0).best("state") == "input"
