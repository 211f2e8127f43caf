"""Outputs, final states and every gradient are those of `keras.layers`, padding anywhere, one direction or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence import CELLS, RecurrentStack, products

STOCK = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
TOLERANCE = 1e-5


def pair(cell: str, inputs: np.ndarray, *, causal: bool) -> tuple[Any, RecurrentStack]:
    """Returns a stock layer and ours with the same random weights, 6 units a direction."""
    stock = STOCK[cell](6, return_sequences=True, return_state=causal)
    stock = stock if causal else keras.layers.Bidirectional(stock)
    ours = RecurrentStack(cell, 6 if causal else 12, causal=causal)
    stock(inputs)
    ours(inputs)
    generator = np.random.default_rng(1)
    weights = [generator.normal(scale=0.5, size=weight.shape) for weight in stock.get_weights()]
    stock.set_weights(weights)
    ours.set_weights(weights)
    return stock, ours


def largest_difference(first: list[Any], second: list[Any]) -> float:
    return max(
        float(np.abs(ops.convert_to_numpy(a) - ops.convert_to_numpy(b)).max())
        for a, b in zip(first, second, strict=True)
    )


@pytest.fixture(params=[False, True] if keras.backend.backend() == "tensorflow" else [False])
def wide(request: pytest.FixtureRequest, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as few units are, once as many: those of one or three gates have each product made of two."""
    if request.param:
        monkeypatch.setattr(products, "_WIDE", 6)
        gates = CELLS[cell].gates
        kernels = products.Product("float32", "float32", gates, 6).of_steps(ops.zeros((6, gates * 6)))
        assert len(kernels) == {"rnn": 2, "gru": 6, "lstm": 4}[cell]


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", STOCK)
class TestOneDirection:
    def test_outputs_at_real_steps_and_final_state_are_equal(self, cell: str, masked: bool, batch: Any) -> None:
        stock, ours = pair(cell, batch.inputs, causal=True)
        mask = batch.with_mask(masked)
        outputs, *last = stock(batch.inputs, mask=mask)
        our_outputs, (our_last,) = ours(batch.inputs, mask=mask, return_state=True, training=True)
        real = np.ones_like(batch.mask) if mask is None else mask
        difference = largest_difference(
            [ops.convert_to_numpy(outputs)[real], *last], [ops.convert_to_numpy(our_outputs)[real], *our_last]
        )
        assert difference < TOLERANCE

    def test_every_gradient_is_equal(
        self, cell: str, masked: bool, batch: Any, gradients: Callable[..., list[np.ndarray]]
    ) -> None:
        stock, ours = pair(cell, batch.inputs, causal=True)
        generator = np.random.default_rng(2)
        initial = [generator.normal(size=(4, 6)).astype("float32") for _ in range(2 if cell == "lstm" else 1)]
        mask = None if not masked else ops.convert_to_tensor(batch.mask)

        def loss(outputs: Any, last: list[Any]) -> Any:
            return ops.sum(outputs * batch.factors) + sum(ops.sum(ops.square(state)) for state in last)

        def of_stock(inputs: Any, *states: Any) -> Any:
            outputs, *last = stock(inputs, mask=mask, initial_state=list(states))
            return loss(outputs, last)

        def of_ours(inputs: Any, *states: Any) -> Any:
            outputs, (last,) = ours(inputs, mask=mask, initial_state=[list(states)], return_state=True, training=True)
            return loss(outputs, last)

        expected = gradients(of_stock, stock, [batch.inputs, *initial])
        found = gradients(of_ours, ours, [batch.inputs, *initial])
        assert len(found) == 1 + len(initial) + 3  # inputs, states, kernel, recurrent kernel, bias
        assert min(float(np.abs(gradient).max()) for gradient in found) > 1e-3
        assert largest_difference(expected, found) < TOLERANCE * max(float(np.abs(g).max()) for g in expected)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", STOCK)
def test_both_directions_and_their_gradients_are_equal(
    cell: str, masked: bool, batch: Any, gradients: Callable[..., list[np.ndarray]]
) -> None:
    stock, ours = pair(cell, batch.inputs, causal=False)
    mask = None if not masked else ops.convert_to_tensor(batch.mask)

    def loss(layer: Any) -> Callable[[Any], Any]:
        return lambda inputs: ops.sum(ops.square(layer(inputs, mask=mask, training=True)) * batch.factors)

    expected = gradients(loss(stock), stock, [batch.inputs])
    found = gradients(loss(ours), ours, [batch.inputs])
    assert len(found) == 7  # inputs, and three weights a direction
    assert largest_difference(expected, found) < TOLERANCE * max(float(np.abs(g).max()) for g in expected)
