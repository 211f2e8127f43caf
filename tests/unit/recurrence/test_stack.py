"""What a stack promises whatever its cell: states, padding, dropout, precision, how weights begin, graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.errors import UsageError
from textseq.layers.recurrence import RecurrentStack

CELLS = ["rnn", "gru", "lstm"]
tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs are TensorFlow's")


def numpy(tensor: Any) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.mark.parametrize("cell", CELLS)
def test_two_halves_with_the_state_handed_over_equal_the_whole(cell: str, batch: Any) -> None:
    stack = RecurrentStack(cell, 8, depth=2, causal=True, residual=True)
    whole, last = stack(batch.inputs, return_state=True)
    first, state = stack(batch.inputs[:, :4], initial_state=stack.get_initial_state(4), return_state=True)
    second, state = stack(batch.inputs[:, 4:], initial_state=state, return_state=True)
    np.testing.assert_allclose(numpy(whole), np.concatenate([numpy(first), numpy(second)], axis=1), atol=1e-6)
    assert [len(layer) for layer in state] == [2 if cell == "lstm" else 1] * 2
    for one, other in zip(keras.tree.flatten(last), keras.tree.flatten(state), strict=True):
        np.testing.assert_allclose(numpy(one), numpy(other), atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_what_stands_at_padding_changes_no_real_step(cell: str, causal: bool, batch: Any) -> None:
    stack = RecurrentStack(cell, 8, depth=2, causal=causal)
    other = np.where(batch.mask[..., None], batch.inputs, 100.0).astype("float32")
    outputs, others = (numpy(stack(inputs, mask=batch.mask)) for inputs in (batch.inputs, other))
    np.testing.assert_array_equal(outputs[batch.mask], others[batch.mask])
    assert np.isfinite(others).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_causal_stack_hides_the_future_and_another_uses_it(cell: str, batch: Any) -> None:
    changed = batch.inputs.copy()
    changed[:, -1] += 1
    for causal in (True, False):
        stack = RecurrentStack(cell, 8, causal=causal)
        moved = np.abs(numpy(stack(changed)) - numpy(stack(batch.inputs)))[:, :-1].max()
        assert (moved == 0) == causal


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 1, 5), (1, 1, 5)])
def test_empty_batches_and_single_steps_pass(cell: str, shape: tuple[int, ...]) -> None:
    mask = np.ones(shape[:2], bool)
    assert tuple(RecurrentStack(cell, 8)(np.zeros(shape, "float32"), mask=mask).shape) == (*shape[:2], 8)


@pytest.mark.parametrize("cell", CELLS)
def test_bfloat16_is_close_to_float32_and_keeps_its_state_in_float32(cell: str, batch: Any) -> None:
    full = RecurrentStack(cell, 32, causal=True)
    mixed = RecurrentStack(cell, 32, causal=True, dtype="mixed_bfloat16")
    full(batch.inputs)
    mixed(batch.inputs)
    mixed.set_weights(full.get_weights())
    outputs, state = mixed(ops.cast(batch.inputs, "bfloat16"), return_state=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(part.dtype) for part in state[0]} == {"float32"}
    np.testing.assert_allclose(numpy(outputs), numpy(full(batch.inputs)), atol=0.03)  # 8 bits: 0.004 a rounding


def test_dropout_is_on_in_training_only_and_differs_between_calls(batch: Any) -> None:
    for arguments in ({"dropout": 0.5}, {"dropout": 0.5, "variational": True}, {"recurrent_dropout": 0.5}):
        stack = RecurrentStack("lstm", 32, **arguments)
        still = numpy(stack(batch.inputs, training=False))
        np.testing.assert_array_equal(still, numpy(stack(batch.inputs, training=False)))
        first, second = (numpy(stack(batch.inputs, training=True)) for _ in range(2))
        assert np.abs(first - still).max() > 1e-3
        assert np.abs(first - second).max() > 1e-3


def test_variational_dropout_treats_equal_steps_equally(batch: Any) -> None:
    same_steps = np.repeat(batch.inputs[:, :1], 6, axis=1)
    equal = {}
    for variational in (True, False):
        stack = RecurrentStack("rnn", 32, causal=True, dropout=0.5, variational=variational)
        stack(same_steps)
        kernel, recurrent, bias = stack.get_weights()
        stack.set_weights([kernel, np.zeros_like(recurrent), bias])  # each output depends on its own step alone
        outputs = numpy(stack(same_steps, training=True))
        equal[variational] = bool(np.allclose(outputs, outputs[:, :1], atol=1e-6))
    assert equal == {True: True, False: False}


def test_residual_adds_a_layer_s_inputs_where_widths_are_equal(batch: Any) -> None:
    inputs = np.tile(batch.inputs, 2)[..., :8]
    plain, residual = (RecurrentStack("gru", 8, causal=True, residual=residual) for residual in (False, True))
    plain(inputs)
    residual(inputs)
    residual.set_weights(plain.get_weights())
    np.testing.assert_allclose(numpy(residual(inputs)), inputs + numpy(plain(inputs)), atol=1e-6)


def test_the_same_seed_gives_the_same_weights(batch: Any) -> None:
    weights = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        stack = RecurrentStack("lstm", 8, depth=2, forget_bias="chrono")
        stack(batch.inputs)
        weights.append(stack.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(weights[0], weights[1], strict=True))
    assert not any(np.array_equal(one, other) for one, other in zip(weights[0], weights[2], strict=True))


@pytest.mark.parametrize(("cell", "blocks"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_each_recurrent_block_begins_orthogonal(cell: str, blocks: int, batch: Any) -> None:
    stack = RecurrentStack(cell, 8, causal=True)
    stack(batch.inputs)
    for block in np.split(stack.get_weights()[1], blocks, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-5)


def test_forget_gates_begin_as_asked(batch: Any) -> None:
    biases = {}
    for begin in ("zero", "one", "chrono"):
        stack = RecurrentStack("lstm", 1000, causal=True, forget_bias=begin, chrono_length=50)
        stack(batch.inputs)
        biases[begin] = stack.get_weights()[2].reshape(4, 1000)  # i, f, g, o
    np.testing.assert_array_equal(biases["zero"], 0)
    np.testing.assert_array_equal(biases["one"], np.eye(4)[1][:, None] * np.ones(1000))
    steps = np.exp(biases["chrono"][1])
    assert steps.min() >= 1
    assert steps.max() <= 49 + 1e-3
    assert steps.mean() == pytest.approx(25, abs=2)  # uniform over 1 to 49: standard error 14 / sqrt(1000) = 0.45
    np.testing.assert_allclose(biases["chrono"][0], -biases["chrono"][1])


def test_two_directions_refuse_odd_units_and_a_state() -> None:
    expected = r"encoder\.units: must be even when causal is false, for two directions share it\. Received: 257\."
    with pytest.raises(UsageError, match=expected):
        RecurrentStack("lstm", 257)
    stack = RecurrentStack("lstm", 8)
    with pytest.raises(UsageError, match=r"encoder\.causal: must be true"):
        stack.get_initial_state(2)


@tensorflow_only
@pytest.mark.parametrize("cell", CELLS)
def test_a_saved_graph_takes_any_batch_and_length_and_xla_gives_the_same(cell: str, batch: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    class Served(tf.Module):
        def __init__(self, stack: RecurrentStack) -> None:
            super().__init__()
            self.stack = stack
            self.weights = [weight.value for weight in stack.variables]

        @tf.function(input_signature=[tf.TensorSpec((None, None, 5)), tf.TensorSpec((None, None), tf.bool)])
        def run(self, inputs: Any, mask: Any) -> Any:
            return self.stack(inputs, mask=mask)

    stack = RecurrentStack(cell, 8, depth=2)
    expected = numpy(stack(batch.inputs, mask=batch.mask))
    tf.saved_model.save(Served(stack), str(tmp_path))
    served = tf.saved_model.load(str(tmp_path))
    compiled = tf.function(lambda inputs, mask: stack(inputs, mask=mask), jit_compile=True)
    np.testing.assert_allclose(served.run(batch.inputs, batch.mask), expected, atol=1e-6)
    np.testing.assert_allclose(compiled(batch.inputs, batch.mask), expected, atol=1e-5)
    assert served.run(batch.inputs[:0], batch.mask[:0]).shape == (0, 6, 8)
    assert served.run(batch.inputs[:1, :1], batch.mask[:1, :1]).shape == (1, 1, 8)
