"""Weights as tensors, and rows of them, without copies of what they hold."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def as_tensor(weight: Any) -> Any:
    """Returns a weight's value as a tensor of its own, which TensorFlow's custom gradients ask for."""
    value = ops.convert_to_tensor(weight)
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    return tf.identity(value)


def rows_of(weight: Any, ids: Any) -> Any:
    """Returns the rows of a table that ids name; the table is not read whole. `(…, width)`.

    Args:
        weight: A variable `(rows, width)`.
        ids: Of any shape.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.take(weight, ids, axis=0)
    import tensorflow as tf

    variable = weight.value if isinstance(weight, keras.Variable) else weight
    return tf.gather(variable, ids)  # of a variable: once a part of it was updated, reading it whole means copying it
