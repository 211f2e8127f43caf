"""AWD-LSTM: outside training an LSTM; in training some of its recurrent weights are gone, for a whole batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence.layer import RecurrentLayer


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def test_outside_training_it_is_the_lstm_of_the_papers(golden: Callable[..., Any]) -> None:
    found = golden("awd_lstm", hidden=5)
    sequence = found.inputs
    for (layer,) in found.encoder.stack.layers:
        w, u, b = (np.asarray(weight, "float64") for weight in (layer.kernel, layer.recurrent_kernel, layer.bias))
        h, c, states = np.zeros(layer.units), np.zeros(layer.units), []
        for x in sequence:
            i, f, g, o = np.split(x @ w + h @ u + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            states.append(h)
        sequence = np.stack(states)
    assert [layer.units for (layer,) in found.encoder.stack.layers] == [5, 4]
    np.testing.assert_allclose(found.outputs, sequence, atol=1e-6)


def test_in_training_the_share_of_recurrent_weights_is_gone_and_the_rest_is_larger() -> None:
    keras.utils.set_random_seed(0)
    layer = RecurrentLayer("lstm", 50, weight_dropout=0.4)
    layer.build((None, None, 3))
    whole = ops.convert_to_numpy(layer.recurrent_kernel)
    first, second = (ops.convert_to_numpy(layer._recurrent_weights(True)) for _ in range(2))
    gone = first == 0
    assert gone.mean() == pytest.approx(0.4, abs=0.02)  # of 10,000: standard deviation 0.005
    np.testing.assert_allclose(first[~gone], whole[~gone] / 0.6, rtol=1e-5)
    assert (gone != (second == 0)).any()
    np.testing.assert_array_equal(ops.convert_to_numpy(layer._recurrent_weights(False)), whole)


def test_rows_of_a_batch_lose_the_same_weights() -> None:
    keras.utils.set_random_seed(0)
    layer = RecurrentLayer("lstm", 8, weight_dropout=0.5)
    row = np.random.default_rng(0).normal(size=(5, 1, 3)).astype("float32")  # (time, batch, features)
    layer.build(row.shape)
    outputs = ops.convert_to_numpy(layer(np.repeat(row, 3, 1), training=True)[0])
    np.testing.assert_allclose(outputs[:, 1:], outputs[:, :1].repeat(2, 1), atol=1e-6)
    still = ops.convert_to_numpy(layer(row, training=False)[0])
    assert np.abs(outputs[:, :1] - still).max() > 1e-3
