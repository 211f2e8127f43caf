"""The cells against their equations in NumPy, and their gradients against finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence import RecurrentStack

CELLS = ["rnn", "gru", "lstm"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn(x: np.ndarray, state: list[np.ndarray], w: np.ndarray, u: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    return [np.tanh(x @ w + state[0] @ u + b)]


def gru(x: np.ndarray, state: list[np.ndarray], w: np.ndarray, u: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    h = state[0]
    xz, xr, xg = np.split(x @ w + b[0], 3, axis=-1)
    hz, hr, hg = np.split(h @ u + b[1], 3, axis=-1)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return [z * h + (1 - z) * np.tanh(xg + r * hg)]


def lstm(x: np.ndarray, state: list[np.ndarray], w: np.ndarray, u: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    h, c = state
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def run(cell: str, row: np.ndarray, real: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Returns the outputs for the real steps of one row: the state never sees the others."""
    equations = {"rnn": rnn, "gru": gru, "lstm": lstm}[cell]
    state = [np.zeros(weights[1].shape[0]) for _ in range(2 if cell == "lstm" else 1)]
    outputs = []
    for x in row[real]:
        state = equations(x, state, *weights)
        outputs.append(state[0])
    return np.array(outputs).reshape(-1, weights[1].shape[0])


def randomised(stack: RecurrentStack, inputs: np.ndarray) -> list[np.ndarray]:
    """Gives a stack random weights and returns them."""
    stack(inputs)
    generator = np.random.default_rng(3)
    weights = [generator.normal(scale=0.6, size=weight.shape) for weight in stack.get_weights()]
    stack.set_weights(weights)
    return weights


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_are_those_of_the_equations_on_the_real_steps_alone(cell: str, training: bool, batch: Any) -> None:
    stack = RecurrentStack(cell, 4, causal=True)
    weights = randomised(stack, batch.inputs)
    outputs = ops.convert_to_numpy(stack(batch.inputs, mask=batch.mask, training=training))
    for row, real, output in zip(batch.inputs, batch.mask, outputs, strict=True):
        np.testing.assert_allclose(output[real], run(cell, row, real, weights), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_the_second_half_reads_the_real_steps_from_last_to_first(cell: str, training: bool, batch: Any) -> None:
    stack = RecurrentStack(cell, 8)
    weights = randomised(stack, batch.inputs)
    outputs = ops.convert_to_numpy(stack(batch.inputs, mask=batch.mask, training=training))
    for row, real, output in zip(batch.inputs, batch.mask, outputs, strict=True):
        backward = run(cell, row[::-1], real[::-1], weights[3:])[::-1]
        np.testing.assert_allclose(output[real][:, :4], run(cell, row, real, weights[:3]), atol=1e-6)
        np.testing.assert_allclose(output[real][:, 4:], backward, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has float64 only where the whole process is set so")
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_finite_differences_in_float64(
    cell: str, causal: bool, batch: Any, gradients: Callable[..., list[np.ndarray]]
) -> None:
    stack = RecurrentStack(cell, 4, causal=causal, dtype="float64")
    inputs, factors = batch.inputs.astype("float64"), batch.factors.astype("float64")
    weights = randomised(stack, inputs)

    def loss(inputs: Any) -> Any:
        return ops.sum(ops.square(stack(inputs, mask=ops.convert_to_tensor(batch.mask), training=True)) * factors)

    def slope(arrays: list[np.ndarray], number: int, place: tuple[int, ...]) -> float:
        values = []
        for step in (1e-6, -1e-6):
            moved = [array.copy() for array in arrays]
            moved[number][place] += step
            stack.set_weights(moved[1:])
            values.append(float(loss(moved[0])))
        return (values[0] - values[1]) / 2e-6

    found = gradients(loss, stack, [inputs])
    arrays, generator = [inputs, *weights], np.random.default_rng(4)
    for number, gradient in enumerate(found):
        for _ in range(4):
            place = tuple(int(generator.integers(size)) for size in gradient.shape)
            assert gradient[place] == pytest.approx(slope(arrays, number, place), abs=1e-7)
