"""Gradients on either backend, and a batch whose padding stands anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest


class Batch(NamedTuple):
    """Inputs, which of their steps are real, and the factors of a loss that is a weighted sum of outputs."""

    inputs: np.ndarray  # (batch, time, features)
    mask: np.ndarray  # (batch, time)
    factors: np.ndarray  # (batch, time, 1), 0 at padding

    def with_mask(self, masked: bool) -> np.ndarray | None:
        """Returns the mask, or None for a batch that is taken as full."""
        return self.mask if masked else None


@pytest.fixture(autouse=True)
def _loops_step_by_step() -> Iterator[None]:
    """JAX compiles each loop anew when it is called outside a compiled function; step by step is quicker here."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.disable_jit():
        yield


@pytest.fixture
def batch() -> Batch:
    """Four rows: full, padded at the right, padded here and there, padded throughout."""
    generator = np.random.default_rng(0)
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], bool)
    inputs = generator.normal(size=(4, 6, 5)).astype("float32")
    factors = generator.normal(size=(4, 6, 1)).astype("float32") * mask[..., None]
    return Batch(inputs, mask, factors)


@pytest.fixture
def gradients() -> Callable[..., list[np.ndarray]]:
    """A function of (loss, layer, arrays): the gradients of loss(*arrays) by each array, then by each weight."""
    return _gradients_jax if keras.backend.backend() == "jax" else _gradients_tensorflow


def _gradients_tensorflow(loss: Callable[..., Any], layer: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays]
    sources = [*tensors, *(weight.value for weight in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return [gradient.numpy() for gradient in tape.gradient(value, sources)]


def _gradients_jax(loss: Callable[..., Any], layer: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    import jax

    weights = layer.trainable_weights

    def stateless(tensors: list[Any], values: list[Any]) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
            return loss(*tensors)

    tensors = [jax.numpy.asarray(array) for array in arrays]
    of_arrays, of_weights = jax.grad(stateless, argnums=(0, 1))(tensors, [weight.value for weight in weights])
    return [np.asarray(gradient) for gradient in [*of_arrays, *of_weights]]
