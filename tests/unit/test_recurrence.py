"""The recurrence against Keras's own layers, and its meaning."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from textseq.layers.recurrence import loops
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.layer import RecurrentLayer
from textseq.registry import encoders

STOCK = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


@pytest.fixture
def inputs() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    mask = np.ones((3, 7), bool)
    mask[1, 4:] = mask[2, 2:] = mask[2, 0] = False  # padding at the end, and in the way
    return generator.normal(size=(3, 7, 5)).astype("float32"), mask


def values_and_gradients(layer: Any, x: np.ndarray, weights: list[Any], upstream: np.ndarray) -> list[np.ndarray]:
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        loss = tf.reduce_sum(outputs * upstream)
    return [outputs, *tape.gradient(loss, [x, *(weight.value for weight in weights)])]


@pytest.mark.parametrize("cell", sorted(STOCK))
def test_outputs_and_every_gradient_equal_keras(cell: str, inputs: tuple[np.ndarray, np.ndarray]) -> None:
    x, mask = inputs
    ours, stock = encoders.get(cell)(6, causal=True), STOCK[cell](6, return_sequences=True)
    ours(x, mask=mask)
    stock(x)
    stock.set_weights([np.asarray(weight) for weight in ours.trainable_variables])
    upstream = np.random.default_rng(1).normal(size=(3, 7, 6)).astype("float32")
    mine = values_and_gradients(lambda x: ours(x, mask=mask, training=True), x, ours.trainable_variables, upstream)
    theirs = values_and_gradients(lambda x: stock(x, mask=tf.constant(mask)), x, stock.trainable_variables, upstream)
    assert len(mine) == 5  # outputs, inputs, kernel, recurrent kernel, bias
    real = mask[..., None]
    np.testing.assert_allclose(mine[0] * real, theirs[0] * real, atol=1e-6)
    for own, other in zip(mine[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "masked", "dtype"),
    [
        ("gru", False, "float32"),
        ("gru", True, "float32"),
        ("lstm", False, "float32"),
        ("lstm", True, "float32"),
        ("rnn", True, "float32"),
        ("lstm", True, "mixed_bfloat16"),
        ("gru", False, "mixed_bfloat16"),
        ("rnn", True, "mixed_bfloat16"),
    ],
)
def test_loops_that_xla_compiles_give_what_tensorflows_do(
    cell: str, masked: bool, dtype: str, inputs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, mask = inputs
    layer = encoders.get(cell)(6, recurrent_dropout=0.3, dtype=dtype)
    layer(x, mask=mask)
    upstream = np.random.default_rng(1).normal(size=(3, 7, 6)).astype("float32")
    made: list[Any] = []
    compiled = loops.compiled
    monkeypatch.setattr(loops, "_SMALL_STATES", range(100))
    monkeypatch.setattr(loops, "compiled", lambda function: made.append(function) or compiled(function))

    def found() -> list[np.ndarray]:
        loops._compiled.cache_clear()
        keras.utils.set_random_seed(0)
        for one in layer._flatten_layers():
            if hasattr(one, "seed_generator"):
                one.seed_generator.state.assign([1, 0])
        step = tf.function(lambda x: layer(x, mask=mask if masked else None, training=True))
        return values_and_gradients(step, x, layer.trainable_variables, upstream)

    compiled_ones = found()
    assert len(made) == 4  # forwards and back, in both directions
    monkeypatch.setattr(loops, "_SMALL_STATES", ())
    for one, other in zip(found(), compiled_ones, strict=True):
        own, its = np.asarray(one, "float32"), np.asarray(other, "float32")
        # TensorFlow rounds its products to 16 bits, XLA does not: four roundings of the largest number, or fewer.
        bound = 1e-5 if dtype == "float32" else min(2**-5, 2**-6 * np.abs(own).max())
        np.testing.assert_allclose(own, its, atol=bound)
    assert len(made) == 4


@pytest.mark.parametrize(
    ("cell", "time", "batch", "units", "operands", "small"),
    [
        ("lstm", 20, 20, 200, "float32", True),
        ("gru", 35, 20, 650, "float32", True),
        ("lstm", 35, 64, 256, "float32", False),
        ("lstm", 35, 32, 16, "float32", False),
        ("rnn", 20, 20, 200, "float32", True),
        ("rnn", 35, 20, 650, "float32", True),
        ("lstm", 20, 20, 200, "bfloat16", True),
        ("lstm", 20, 20, 200, "float16", False),
        ("lstm", None, 20, 200, "float32", False),
        ("lstm", 20, None, 200, "float32", False),
    ],
)
def test_small_loops_of_known_shape_are_compiled(
    cell: str, time: int | None, batch: int | None, units: int, operands: str, small: bool
) -> None:
    def decide(state: Any) -> Any:
        decided.append(loops.compiles(CELLS[cell], time, state, operands))
        return state

    decided: list[bool] = []
    tf.function(decide, autograph=False).get_concrete_function(tf.TensorSpec((batch, units)))
    assert decided == [small]
    assert not loops.compiles(CELLS[cell], time, tf.zeros((20, 200)), operands)  # outside of a graph


@pytest.mark.parametrize("cell", sorted(STOCK))
def test_the_backward_half_reads_from_the_end_and_starts_at_each_rows_last_token(cell: str) -> None:
    layer = RecurrentLayer(cell, 4, reverse=True)
    x = np.random.default_rng(2).normal(size=(5, 1, 3)).astype("float32")  # (time, batch, features)
    layer.build(x.shape)
    alone, _ = layer(x[:3], np.ones((3, 1, 1), "float32"))
    mask = np.ones((5, 1, 1), "float32")
    mask[3:] = 0
    padded, _ = layer(x, mask)
    np.testing.assert_allclose(padded[:3], alone, atol=1e-6)
    forward = RecurrentLayer(cell, 4)
    forward.build(x.shape)
    forward.set_weights([np.asarray(weight) for weight in layer.trainable_variables])
    turned, _ = forward(x[2::-1], np.ones((3, 1, 1), "float32"))
    np.testing.assert_allclose(np.asarray(turned)[::-1], alone, atol=1e-6)


@pytest.mark.parametrize("name", sorted(encoders.names()))
def test_two_calls_with_the_state_handed_over_equal_one(name: str, inputs: tuple[np.ndarray, np.ndarray]) -> None:
    x, mask = inputs[0], np.ones((3, 7), bool)
    mask[1, 5:] = False
    encoder = encoders.get(name)(8, causal=True)
    whole = encoder(x, mask=mask)
    for cut in (1, 3, 6):
        state = encoder.get_initial_state(3)
        first, state = encoder(x[:, :cut], mask=mask[:, :cut], initial_state=state, return_state=True)
        second, _ = encoder(x[:, cut:], mask=mask[:, cut:], initial_state=state, return_state=True)
        joined = np.concatenate([first, second], 1)
        np.testing.assert_allclose(joined * mask[..., None], np.asarray(whole) * mask[..., None], atol=1e-5)


@pytest.mark.parametrize("name", sorted(encoders.names()))
def test_causal_hides_the_future_and_its_opposite_uses_it(name: str, inputs: tuple[np.ndarray, np.ndarray]) -> None:
    x = inputs[0][:, :3]  # few enough for a convolution to see from end to end
    changed = x.copy()
    changed[:, 1] += 1.0
    for causal in (True, False):
        encoder = encoders.get(name)(8, causal=causal)
        before, after = np.asarray(encoder(x)), np.asarray(encoder(changed))
        moved = np.abs(before - after).max(axis=(0, 2)) > 1e-5
        assert moved[1:].all()
        assert moved[0] == (not causal)


@pytest.mark.parametrize("name", sorted(encoders.names()))
def test_padding_changes_nothing_and_an_empty_batch_gives_an_empty_one(name: str) -> None:
    encoder = encoders.get(name)(8)
    x = np.random.default_rng(4).normal(size=(2, 5, 3)).astype("float32")
    padded = np.concatenate([x, np.full((2, 4, 3), 9.0, "float32")], 1)
    mask = np.arange(9)[None].repeat(2, 0) < 5
    np.testing.assert_allclose(np.asarray(encoder(padded, mask=mask))[:, :5], encoder(x), atol=1e-5)
    assert tuple(ops.shape(encoder(x[:0]))) == (0, 5, 8)
    assert np.isfinite(np.asarray(encoder(x, mask=np.zeros((2, 5), bool)))).all()
