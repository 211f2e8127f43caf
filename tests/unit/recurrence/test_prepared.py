"""Layers made ready for an export: they say what Keras's own layers say, from vectors and from a table's rows."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from textseq.layers.recurrence import RecurrentStack, prepared

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports are made on TensorFlow")

STOCK = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


@pytest.fixture
def table() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(9, 5)).astype("float32")


@pytest.fixture
def row_numbers() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 9, (4, 6)).astype("int32")


def built(cell: str, causal: bool = True, **options: Any) -> RecurrentStack:
    stack = RecurrentStack(cell, 6, causal=causal, **options)
    stack.build((None, None, 5))
    for weight in stack.trainable_weights:  # no bias is zero
        weight.assign(np.random.default_rng(len(weight.shape)).normal(size=weight.shape) * 0.5)
    return stack


def keras_outputs(cell: str, stack: RecurrentStack, inputs: np.ndarray, mask: np.ndarray | None) -> Any:
    layer = STOCK[cell](6, return_sequences=True, return_state=True)
    layer.build(inputs.shape)
    layer.set_weights([np.asarray(weight) for weight in stack.trainable_weights])
    return layer(inputs, mask=mask)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", sorted(STOCK))
def test_prepared_for_a_table_it_gives_from_row_numbers_what_keras_gives_from_the_rows(
    cell: str, masked: bool, table: np.ndarray, row_numbers: np.ndarray, batch: Any
) -> None:
    stack, mask = built(cell), batch.with_mask(masked)
    expected, *state = keras_outputs(cell, stack, table[row_numbers], mask)
    assert stack.prepare(table)
    outputs, (own_state,) = stack(row_numbers, mask=mask, return_state=True)
    real = np.ones((4, 6, 1)) if mask is None else mask[..., None]
    np.testing.assert_allclose(outputs * real, expected * real, atol=1e-6)
    for own, other in zip(own_state, state, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)


@pytest.mark.parametrize("cell", sorted(STOCK))
def test_prepared_both_ways_and_deep_it_gives_what_it_gave(cell: str, batch: Any, table: np.ndarray) -> None:
    stack = built(cell, causal=False, depth=2, layer_norm=True)
    row_numbers = np.random.default_rng(5).integers(0, 9, (4, 6)).astype("int32")
    before = stack(table[row_numbers], mask=batch.mask)
    assert stack.prepare(table)
    np.testing.assert_allclose(stack(row_numbers, mask=batch.mask), before, atol=1e-6)
    assert not stack.prepare(None)
    np.testing.assert_allclose(stack(table[row_numbers], mask=batch.mask), before, atol=1e-6)


def test_prepared_it_goes_on_from_a_state(batch: Any) -> None:
    stack = built("lstm")
    stack.prepare(None)
    whole = stack(batch.inputs)
    first, state = stack(batch.inputs[:, :2], return_state=True)
    second = stack(batch.inputs[:, 2:], initial_state=state)
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-6)


def test_later_weights_count_only_once_it_is_unprepared(batch: Any) -> None:
    stack = built("gru")
    before = stack(batch.inputs)
    stack.prepare(None)
    stack.layers[0][0].bias.assign(np.ones((2, 18)))
    np.testing.assert_allclose(stack(batch.inputs), before, atol=1e-6)
    stack.unprepare()
    assert np.abs(stack(batch.inputs) - before).max() > 0.01


def test_a_product_that_no_cache_holds_is_not_made(table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_of_both = 2 * 4 * 9 * 12  # two directions, float32, rows, four gates of three units
    for largest, looks_up in ((bytes_of_both, True), (bytes_of_both - 1, False)):
        monkeypatch.setattr("textseq.layers.recurrence.stack.LARGEST_TABLE", largest)
        assert built("lstm", causal=False).prepare(table) is looks_up
    assert prepared.LARGEST_TABLE == 32 * 2**20


def test_vectors_that_are_added_to_the_outputs_are_not_spared() -> None:
    stack = RecurrentStack("rnn", 4, causal=True, residual=True)
    stack.build((None, None, 4))
    table = np.ones((3, 4), "float32")
    assert not stack.prepare(table)
    vectors = table[np.zeros((1, 2), int)]
    mine = stack(vectors)
    stack.unprepare()
    np.testing.assert_allclose(mine, stack(vectors), atol=1e-6)


@pytest.mark.parametrize("padded", [0, 2])
@pytest.mark.parametrize("time", [1, 7, 8, 9, 17])
def test_it_reads_every_step_whatever_their_number(time: int, padded: int, table: np.ndarray) -> None:
    stack, row_numbers = built("lstm", causal=False), np.arange(2 * time).reshape(2, time) % 9
    mask = np.arange(time) < np.array([[time], [max(time - padded, 1)]])
    before = stack(table[row_numbers], mask=mask)
    stack.prepare(table)
    np.testing.assert_allclose(stack(row_numbers, mask=mask), before, atol=1e-6)
