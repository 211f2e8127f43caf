"""Gradients of parts of a model with respect to what goes into them, on whichever backend Keras runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import tree

from textseq.model import compiled


def pullback(layer: Any, function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Compiles a function together with its gradient.

    Args:
        layer: The model or layer whose weights the function reads; their values at each call count.
        function: `function(points, *rest)` returns a nest of floating-point tensors.

    Returns:
        `(points, upstream, *rest) -> (outputs, gradients)`: `upstream` is a nest like the outputs, the gradient of some
        number with respect to them; `gradients` is that number's with respect to `points`, a nest like them.
    """
    pull = _pull_jax if keras.backend.backend() == "jax" else _pull_tensorflow
    return compiled(layer, lambda points, upstream, *rest: pull(function, points, upstream, rest))


def _pull_tensorflow(function: Callable[..., Any], points: Any, upstream: Any, rest: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    flat = [tf.convert_to_tensor(part) for part in tree.flatten(points)]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(flat)
        outputs = function(tree.pack_sequence_as(points, flat), *rest)
    found = tape.gradient(
        tree.flatten(outputs),
        flat,
        output_gradients=[tf.convert_to_tensor(part) for part in tree.flatten(upstream)],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return outputs, tree.pack_sequence_as(points, found)


def _pull_jax(function: Callable[..., Any], points: Any, upstream: Any, rest: Any) -> tuple[Any, Any]:
    import jax

    outputs, pull = jax.vjp(lambda given: function(given, *rest), points)
    return outputs, pull(upstream)[0]
