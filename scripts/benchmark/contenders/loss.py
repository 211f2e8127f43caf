"""A softmax's loss with its gradients, alone: the toolkit's in chunks, its adaptive one, and Keras's on all logits."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmark.batches import token_ids
from benchmark.specification import Contender, Model
from textseq.layers.native.operations import softmax_refusal as refusal
from textseq.layers.softmax import AdaptiveSoftmax, weighted_softmax_cross_entropy

Arrays = tuple[Any, ...]  # hidden (rows, features), table (vocabulary, features), bias (vocabulary,)


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that computes the mean loss and its gradients once."""
    rows, vocabulary, width = model.items, model.vocabulary, model.units
    generator = np.random.default_rng(0)
    arrays = (
        generator.normal(size=(rows, width)).astype(np.float32),
        generator.normal(size=(vocabulary, width), scale=0.05).astype(np.float32),
        np.zeros(vocabulary, np.float32),
    )
    targets = token_ids(rows, vocabulary).astype(np.int32)
    loss = _losses(contender, model)[contender.variant]
    make = _gradients_on_jax if contender.backend == "jax" else _gradients_on_tensorflow
    return make(lambda *given: loss(given, targets), arrays, bool(contender.xla))


def _losses(contender: Contender, model: Model) -> dict[str, Callable[[Arrays, Any], Any]]:
    rows, vocabulary = model.items, model.vocabulary
    weights = np.full(rows, 1 / rows, np.float32)
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    softmax = AdaptiveSoftmax(vocabulary, cutoffs=[vocabulary // 18, vocabulary // 3]).tie(model.units)
    softmax.native_refusal = refusal(contender.precision)
    natively = softmax.native_refusal is None

    def plain(arrays: Arrays, targets: Any) -> Any:
        hidden, table, bias = arrays
        return crossentropy(targets, ops.matmul(hidden, ops.transpose(table)) + bias)

    def chunked(arrays: Arrays, targets: Any) -> Any:
        hidden, table, bias = arrays
        factors = ops.cast(hidden, contender.precision)
        return weighted_softmax_cross_entropy(factors, table, bias, targets, weights, natively=natively)

    def adaptive(arrays: Arrays, targets: Any) -> Any:
        return softmax.weighted_loss(
            arrays[0], ops.convert_to_tensor(targets), ops.convert_to_tensor(weights), arrays[1]
        )

    return {"plain": plain, "chunked": chunked, "adaptive": adaptive}


def _gradients_on_tensorflow(loss: Callable[..., Any], arrays: Arrays, xla: bool) -> Callable[[], None]:
    import tensorflow as tf

    variables = [tf.Variable(array) for array in arrays]

    @tf.function(jit_compile=xla)
    def gradients() -> Any:
        with tf.GradientTape() as tape:
            value = loss(*(tf.convert_to_tensor(variable) for variable in variables))
        return tape.gradient(value, variables)

    return gradients


def _gradients_on_jax(loss: Callable[..., Any], arrays: Arrays, xla: bool) -> Callable[[], None]:
    jax: Any = importlib.import_module("jax")
    gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
    held = [jax.numpy.asarray(array) for array in arrays]
    return lambda: jax.block_until_ready(gradients(*held))
