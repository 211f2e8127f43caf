"""The temperature of a classifier."""

from __future__ import annotations

import numpy as np
import pytest

from textseq.export.calibration import best_temperature


def rows(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_logits_that_were_multiplied_are_divided_again(factor: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=1.5, size=(20_000, 4))
    targets = (rows(logits).cumsum(1) > generator.random((20_000, 1))).argmax(1)  # drawn from the probabilities
    assert best_temperature(rows(logits * factor), targets) == pytest.approx(factor, rel=0.05)


def test_it_is_where_the_log_loss_is_least() -> None:
    generator = np.random.default_rng(1)
    probabilities, targets = rows(generator.normal(scale=3.0, size=(50, 3))), generator.integers(0, 3, 50)

    def loss(temperature: float) -> float:
        tempered = rows(np.log(probabilities) / temperature)
        return float(-np.log(tempered[np.arange(50), targets]).mean())

    best = best_temperature(probabilities, targets)
    assert loss(best) <= min(loss(temperature) for temperature in np.geomspace(0.05, 20, 500)) + 1e-9


def test_a_model_that_is_always_right_stays_within_bounds() -> None:
    assert 0.05 <= best_temperature(rows(np.eye(3)[[0, 1, 2]] * 2), np.array([0, 1, 2])) <= 20
