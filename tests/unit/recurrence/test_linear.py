"""The linear recurrence: its states are those of the loop that defines it, and its gradient is that loop's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence import linear, linear_recurrence


class Nothing:
    """Stands for a layer without weights."""

    trainable_weights: tuple[Any, ...] = ()


def factors(time: int, rows: int = 2, units: int = 3) -> list[np.ndarray]:
    generator = np.random.default_rng(time)
    decay = generator.uniform(size=(time, rows, units))
    return [
        part.astype("float32")
        for part in (decay, generator.normal(size=decay.shape), generator.normal(size=(rows, units)))
    ]


def stated(decay: np.ndarray, added: np.ndarray, h: np.ndarray, mask: Any = None, reverse: bool = False) -> np.ndarray:
    """Returns the states by the definition, in double precision."""
    states = np.zeros(decay.shape)
    for t in reversed(range(len(decay))) if reverse else range(len(decay)):
        new = decay[t] * np.float64(h) + added[t]
        h = new if mask is None else np.where(mask[t], new, h)
        states[t] = h
    return states


@pytest.mark.parametrize("own_gradient", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("time", [1, 3, 4, 9])  # fewer steps than a turn has, one turn, turns and a rest
def test_states_are_those_of_the_definition(time: int, reverse: bool, own_gradient: bool) -> None:
    parts = factors(time)
    mask = np.random.default_rng(0).uniform(size=(time, 2, 1)) < 0.7
    for real in (None, mask):
        given = None if real is None else real.astype("float32")
        states, last = linear_recurrence(
            *map(ops.convert_to_tensor, parts), mask=given, reverse=reverse, own_gradient=own_gradient
        )
        wanted = stated(*parts, mask=real, reverse=reverse)
        np.testing.assert_allclose(ops.convert_to_numpy(states), wanted, atol=1e-6)
        np.testing.assert_allclose(ops.convert_to_numpy(last), wanted[0 if reverse else -1], atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX's loop does one step a turn on a processor")
def test_several_steps_a_turn_are_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    parts = [tf.constant(part) for part in factors(7)]  # four at once, and three alone

    def found() -> list[Any]:
        @tf.function
        def run(*parts: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(parts)
                states, _ = linear_recurrence(*parts)
                total = tf.reduce_sum(tf.square(states))
            return [states, *tape.gradient(total, parts)]

        return [one.numpy() for one in run(*parts)]

    several = found()
    monkeypatch.setattr(linear, "_STEPS_A_TURN", 1)
    for one, other in zip(found(), several, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("reverse", [False, True])
def test_its_gradient_is_that_of_the_definition(reverse: bool, gradients: Any) -> None:
    parts, direction = factors(9), np.random.default_rng(5).normal(size=(9, 2, 3))
    mask = np.random.default_rng(0).uniform(size=(9, 2, 1)) < 0.7

    def loss(*tensors: Any) -> Any:
        states, last = linear_recurrence(*tensors, mask=ops.cast(mask, "float32"), reverse=reverse)
        return ops.sum(states * ops.cast(direction, "float32")) + 2 * ops.sum(last)

    def stated_loss(*arrays: np.ndarray) -> float:
        states = stated(*arrays, mask=mask, reverse=reverse)
        return float((states * direction).sum() + 2 * states[0 if reverse else -1].sum())

    for place, found in enumerate(gradients(loss, Nothing(), parts)):
        for index in np.ndindex(parts[place].shape):
            moved = [np.float64(part) for part in parts]
            moved[place][index] += 1e-4
            more = stated_loss(*moved)
            moved[place][index] -= 2e-4
            assert found[index] == pytest.approx((more - stated_loss(*moved)) / 2e-4, abs=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA is JAX's own way")
def test_a_graph_takes_any_length_and_xla_gives_the_same() -> None:
    import tensorflow as tf

    def run(*parts: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(parts)
            states, _ = linear_recurrence(*parts)
        return [states, *tape.gradient(states, parts)]

    signature = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, None, 3)), tf.TensorSpec((None, 3))]
    graph, compiled = tf.function(run, input_signature=signature), tf.function(run, jit_compile=True)
    for time in (1, 6):
        parts = [tf.constant(part) for part in factors(time)]
        for one, other, eager in zip(graph(*parts), compiled(*parts), run(*parts), strict=True):
            np.testing.assert_allclose(one, eager, atol=1e-6)
            np.testing.assert_allclose(other, eager, atol=1e-5)
