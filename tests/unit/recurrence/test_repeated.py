"""The same gradients, to the last bit, each time that they are made: also in a graph that needs much memory."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from textseq.layers.sums import sum_of_scalars
from textseq.registry import encoders

if keras.backend.backend() != "tensorflow":
    pytest.skip("it is TensorFlow's optimizer that reorders sums", allow_module_level=True)

TIME, ROWS, LARGE, NARROW = 35, 20, 90_000, 4
_TIMES = 25


@pytest.mark.parametrize(
    ("name", "units"),
    [("lstm", 200), ("gru", 200), ("minlstm", 200), ("sru", 200), ("rnn", 200), ("gru", 512), ("rnn", 512)],
)
def test_gradients_are_the_same_to_the_last_bit_each_time(name: str, units: int) -> None:
    import tensorflow as tf

    generator = np.random.default_rng(0)
    encoder = encoders.get(name)(units, causal=True, depth=2)
    inputs = tf.constant(generator.normal(size=(ROWS, TIME, units)).astype("float32"))
    table = tf.constant(generator.normal(size=(NARROW, LARGE)).astype("float32"))
    slopes = tf.constant(generator.normal(size=(ROWS, TIME, units)).astype("float32"))
    encoder.build(inputs.shape)

    @tf.function
    def gradients() -> Any:
        held = tf.matmul(inputs[..., :NARROW], table)  # 252 MB, from before the loops until after them
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_mean(encoder(inputs, training=True) * slopes)
        found = tape.gradient(loss, [inputs, *(weight.value for weight in encoder.trainable_weights)])
        return [*found, tf.reduce_max(held + found[0][0, 0, 0])]

    first = [gradient.numpy() for gradient in gradients()]
    assert all(np.ptp(gradient) > 0 for gradient in first[:-1])
    for _ in range(_TIMES):
        for gradient, before in zip(gradients(), first, strict=True):
            np.testing.assert_array_equal(gradient.numpy(), before)


def test_scalars_are_summed() -> None:
    import tensorflow as tf

    assert float(sum_of_scalars([tf.constant(0.5), tf.constant(2.0), tf.constant(-1.0)])) == 1.5
