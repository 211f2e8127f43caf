"""Keras's dense layer, whose products in training on a processor are ours, or made in another order."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu
from textseq.layers.native.products import dense


class Dense(keras.layers.Dense):
    """A dense layer over the last axis, with a gradient of its own where that is faster.

    Training may ask for products compiled for this processor. Otherwise, under JAX on a CPU, where the layer widens its
    inputs: the kernel's gradient is a product of inputs and gradients from above, over batch and time. XLA turns the
    factor which JAX names first, the gradient from above, and does so while it makes it: each number is then written
    apart, which took 28 % of a Transformer's step of 4x256. Here the inputs are named first, a quarter as wide.

    Attributes:
        native_refusal: Why training does not use what is compiled for this processor; None where it does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.native_refusal: str | None = "training did not ask for it"

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns `(…, units)`."""
        if self.native_refusal is None and training:
            multiply: Any = dense
        elif keras.backend.backend() == "jax" and not has_gpu() and self.units > inputs.shape[-1]:
            multiply = _product
        else:
            return super().call(inputs, training=training)
        rows = multiply(ops.reshape(inputs, (-1, inputs.shape[-1])), ops.convert_to_tensor(self.kernel))
        rows = rows if self.bias is None else rows + self.bias
        return self.activation(ops.reshape(rows, (*ops.shape(inputs)[:-1], self.units)))


@ops.custom_gradient
def _product(rows: Any, kernel: Any) -> Any:
    from jax import lax

    def backward(above: Any) -> Any:
        return ops.matmul(above, ops.transpose(kernel)), lax.dot_general(rows, above, (((0,), (0,)), ((), ())))

    return ops.matmul(rows, kernel), backward
