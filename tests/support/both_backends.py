"""Gradients of plain functions on either backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


def value_and_gradients(function: Callable[..., Any], parts: list[np.ndarray]) -> list[np.ndarray]:
    """Returns a number that a function makes of some arrays, and its gradients."""
    tensors = list(map(ops.convert_to_tensor, parts))
    if keras.backend.backend() == "jax":
        import jax

        value, gradients = jax.value_and_grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        gradients = tape.gradient(value, tensors)
    return [ops.convert_to_numpy(part) for part in (value, *gradients)]
