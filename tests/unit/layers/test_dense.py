"""The dense layer, whose gradient is its own where it widens its inputs under JAX on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.dense import Dense


def gradients(layer: keras.layers.Dense, inputs: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    """Of the outputs times `upstream`, for the weights and the inputs."""
    if keras.backend.backend() == "jax":
        import jax

        def score(weights: list[Any], inputs: Any) -> Any:
            return ops.sum(ops.cast(layer.stateless_call(weights, [], inputs)[0], "float32") * upstream)

        weights, own = jax.grad(score, (0, 1))([variable.value for variable in layer.weights], ops.array(inputs))
        return [np.asarray(part) for part in (*weights, own)]
    import tensorflow as tf

    tensor = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        score = tf.reduce_sum(tf.cast(layer(tensor), "float32") * upstream)
    return [part.numpy() for part in tape.gradient(score, [*(weight.value for weight in layer.weights), tensor])]


@pytest.mark.parametrize("units", [3, 9], ids=["narrower", "wider"])
@pytest.mark.parametrize("shape", [(6, 5), (2, 3, 5)], ids=["rows", "rows of steps"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("policy", "within"), [("float32", 1e-6), ("mixed_bfloat16", 2e-2)])
def test_outputs_and_gradients_are_those_of_keras(
    units: int, shape: tuple[int, ...], bias: bool, policy: str, within: float
) -> None:
    generator = np.random.default_rng(0)
    inputs, upstream = (generator.normal(size=size).astype("float32") for size in (shape, (*shape[:-1], units)))
    options: Any = {"use_bias": bias, "activation": "tanh", "dtype": policy}
    ours, stock = Dense(units, **options), keras.layers.Dense(units, **options)
    for layer in (ours, stock):
        layer.build(shape)
        layer.set_weights([generator.normal(size=weight.shape) for weight in layer.weights])
    stock.set_weights(ours.get_weights())
    assert ours.name.startswith("dense")  # as checkpoints name it
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(ops.cast(layer(inputs), "float32")) for layer in (ours, stock)), atol=within
    )
    for own, plain in zip(gradients(ours, inputs, upstream), gradients(stock, inputs, upstream), strict=True):
        np.testing.assert_allclose(own, plain, atol=within * np.abs(plain).max())
