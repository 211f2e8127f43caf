"""How far gradients reach, against arithmetic, against a second way to measure, and against published figures."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.probing.gradients import reach, rewrites_its_state
from textseq.probing.subjects import reach_at_first
from textseq.probing.variants import variants
from textseq.registry import encoders


def built(name: str, features: int = 3, **arguments: Any) -> Any:
    keras.utils.set_random_seed(0)
    encoder = encoders.get(name)(**{"units": 8, "causal": True, **arguments})
    encoder(np.zeros((1, 2, features), np.float32))
    return encoder


def noise(rows: int, time: int, features: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, time, features)).astype(np.float32)


def test_a_linear_recurrence_shrinks_the_gradient_by_its_factor_at_each_step() -> None:
    encoder = built("rnn")
    values = [np.zeros((3, 8)), 0.9 * np.eye(8), np.zeros(8)]  # h stays 0, where tanh is a line of slope 1
    curves = reach("rnn", encoder, noise(2, 100), [values]).curves
    for name in ("output", "state"):
        assert curves[name].distances[-1] == 99
        assert len(curves[name].distances) < 80  # pieces longer than a step are among them
        assert curves[name].relative == pytest.approx(0.9 ** curves[name].distances.astype(float), rel=1e-4)
        assert curves[name].half_length == pytest.approx(np.log(0.5) / np.log(0.9), rel=1e-3)
    assert (curves["input"].norms == 0).all()


def test_the_gradient_at_a_state_is_what_a_small_change_of_it_does_to_the_loss() -> None:
    encoder, inputs = built("lstm"), noise(1, 12).astype(np.float32)
    curve = reach("lstm", encoder, inputs, [encoder.get_weights()], seed=4).curves["output"]
    upstream = np.random.default_rng(4).standard_normal((1, 8)).astype(np.float32)

    def loss(change: np.ndarray) -> float:
        _, [[h, c]] = encoder(inputs[:, :5], return_state=True)
        changed = [[ops.convert_to_tensor(ops.convert_to_numpy(h) + change), c]]
        return float((ops.convert_to_numpy(encoder(inputs[:, 5:], initial_state=changed))[0, -1] * upstream).sum())

    step = 1e-2
    slopes = [(loss(step * row) - loss(-step * row)) / (2 * step) for row in np.eye(8, dtype=np.float32)[:, None]]
    assert curve.norms[7] == pytest.approx(np.linalg.norm(slopes), rel=0.01)  # the state after step 5 of 12


def test_beyond_its_context_attention_passes_no_gradient() -> None:
    encoder = built("transformer", units=8, heads=2, depth=1, context=6)
    curves = reach("transformer", encoder, noise(5, 20), [encoder.get_weights()]).curves
    assert set(curves) == {"input"}  # a cache is no state that a step rewrites
    assert (curves["input"].norms[:6] > 0).all()
    assert (curves["input"].norms[6:] == 0).all()


def test_encoders_that_look_both_ways_are_measured_at_their_inputs() -> None:
    encoder = built("gru", causal=False)
    curves = reach("gru", encoder, noise(2, 9), [encoder.get_weights()]).curves
    assert set(curves) == {"input"}
    assert len(curves["input"].norms) == 9


@pytest.mark.parametrize(("name", "rewrites"), [("rnn", True), ("gru", True), ("lstm", True), ("transformer", False)])
def test_a_recurrence_rewrites_its_state_and_a_cache_adds_to_it(name: str, rewrites: bool) -> None:
    assert rewrites_its_state(built(name), 3) is rewrites


# At first, 64 units, over sequences of the adding problem. Single draws of the weights scatter by a factor of 10.
PUBLISHED = {
    ("rnn", 100): 2.5e-3,
    ("rnn", 400): 7.6e-11,
    ("{name: lstm, forget_bias: one}", 100): 2.4e-3,
    ("{name: lstm, forget_bias: one}", 400): 5.3e-8,
    ("{name: lstm, forget_bias: chrono}", 100): 1.7e-3,
    ("{name: lstm, forget_bias: chrono}", 400): 4.2e-4,
}


def ratio(encoder: str, length: int) -> float:
    (variant,) = variants([encoder], units=64, length=length)
    found = reach_at_first(variant, length=length, initialisations=3, seed=0)
    return float(found.curves["output"].relative[-1])


@pytest.mark.parametrize(("encoder", "length"), [key for key in PUBLISHED if key[1] == 100])
def test_the_ratios_at_first_are_those_published(encoder: str, length: int) -> None:
    assert PUBLISHED[encoder, length] / 3 < ratio(encoder, length) < PUBLISHED[encoder, length] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "length"), [key for key in PUBLISHED if key[1] == 400])
def test_the_ratios_at_first_over_longer_sequences_are_those_published(encoder: str, length: int) -> None:
    assert PUBLISHED[encoder, length] / 3 < ratio(encoder, length) < PUBLISHED[encoder, length] * 3
