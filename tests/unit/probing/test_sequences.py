"""The made-up problems ask what they say they ask."""

from __future__ import annotations

import numpy as np
import pytest

from textseq.probing.sequences import PROBLEMS


@pytest.mark.parametrize("length", [11, 100])
def test_the_adding_problem_asks_for_the_sum_of_two_marked_numbers_one_in_each_half(length: int) -> None:
    inputs, targets = PROBLEMS["adding"].make(np.random.default_rng(0), 200, length)
    values, marks = inputs[..., 0], inputs[..., 1]
    assert inputs.shape == (200, length, 2)
    assert (marks[:, : length // 2].sum(1) == 1).all()
    assert (marks[:, length // 2 :].sum(1) == 1).all()
    assert np.allclose((values * marks).sum(1), targets[:, 0])


def test_always_saying_one_scores_on_the_adding_problem_as_remembering_nothing() -> None:
    problem = PROBLEMS["adding"]
    _, targets = problem.make(np.random.default_rng(0), 50_000, 10)
    assert np.mean((targets - 1.0) ** 2) == pytest.approx(problem.trivial, rel=0.02)  # variance of two uniform numbers


def test_copying_asks_for_the_first_ten_symbols_after_a_sign_ten_steps_before_the_end() -> None:
    problem = PROBLEMS["copy"]
    inputs, targets = problem.make(np.random.default_rng(0), 30, 40)
    symbols = inputs.argmax(-1)
    assert np.array_equal(symbols[:, :10], targets)
    assert (symbols[:, 29] == 9).all()
    assert (np.delete(symbols[:, 10:], 19, axis=1) == 8).all()
    assert set(targets.ravel()) == set(range(8))


def test_temporal_order_asks_which_of_two_signs_came_first_and_which_second() -> None:
    problem = PROBLEMS["order"]
    inputs, targets = problem.make(np.random.default_rng(0), 300, 100)
    for row, target in zip(inputs.argmax(-1), targets[:, 0], strict=True):
        places = np.flatnonzero((row == 4) | (row == 5))
        assert len(places) == 2
        assert 10 <= places[0] < 20
        assert 50 <= places[1] < 60
        assert 2 * (row[places[0]] == 5) + (row[places[1]] == 5) == target
    assert set(targets[:, 0]) == {0, 1, 2, 3}


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_the_shortest_sequences_hold_the_problem(name: str) -> None:
    problem = PROBLEMS[name]
    inputs, targets = problem.make(np.random.default_rng(0), 50, problem.shortest)
    assert inputs.shape == (50, problem.shortest, problem.features)
    assert targets.shape == (50, problem.answers)


def test_an_error_is_good_below_the_goal_and_a_fraction_right_from_it_on() -> None:
    assert PROBLEMS["adding"].solved(0.0099)
    assert not PROBLEMS["adding"].solved(0.01)
    assert PROBLEMS["order"].solved(0.99)
    assert not PROBLEMS["order"].solved(0.989)
