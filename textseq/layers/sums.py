"""Sums whose last bits are the same each time, on TensorFlow.

Its optimizer joins sums of two into one of many, and where it reckons that a graph takes more than 205 MB, it makes of
one of three and more a variable that terms are added to as they come. Two runs then differ in their last bits, and soon
in all. (`SchedulingPass` of tensorflow/core/grappler/optimizers/memory_optimizer.cc; 256 MB is what a processor is said
to have there.)
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import keras

from textseq.layers.one_pass import compiled, pays


def sum_in_order(terms: list[Any], after: Any) -> Any:
    """Returns the sum of small tensors, on TensorFlow as sums of two that are not joined.

    Args:
        terms: Of one shape and data type.
        after: What they wait for, beside their terms: something that the terms do not need themselves, else the
            optimizer finds the wait superfluous, and joins them.
    """
    if keras.backend.backend() != "tensorflow":
        return _sum(*terms)
    import tensorflow as tf

    total = terms[0]
    for term in terms[1:]:
        with tf.control_dependencies([after]):
            total = tf.add(total, term)
    return total


def sum_of_scalars(terms: list[Any]) -> Any:
    """Returns the sum of scalars."""
    import tensorflow as tf

    return tf.reduce_sum(tf.stack(terms))


def copies(tensor: Any, count: int, *, training: bool | None) -> list[Any]:
    """Returns a tensor so many times, one for each use; in training its gradients are added in order.

    Args:
        tensor: Any shape.
        count: How many; up to two have no order.
        training: Whether this is a training step.
    """
    if not training or count <= 2 or keras.backend.backend() != "tensorflow":
        return [tensor] * count
    import tensorflow as tf

    def back(*upstream: Any) -> Any:
        return compiled(_sum)(*upstream) if pays(tensor.shape) else tf.reduce_sum(tf.stack(upstream), 0)

    @tf.custom_gradient
    def run(tensor: Any) -> Any:
        return tuple(tf.identity(tensor) for _ in range(count)), back

    return list(run(tensor))


def _sum(*terms: Any) -> Any:
    return functools.reduce(operator.add, terms)
