"""What stands between large products, in one pass over memory and one back, where the whole step is not compiled.

TensorFlow reads and writes whole tensors at each operation: an activation of ten is ten passes, and twenty back. XLA
makes one loop of them. It is slower than TensorFlow at the products themselves, so that it gets the rest alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras

_LARGE = 2**16  # elements; below that a call costs as much as it saves


def one_pass(
    function: Callable[..., Any], *tensors: Any, constants: tuple[Any, ...] = (), training: bool | None
) -> Any:
    """Returns `function(*tensors, *constants)`; in training, of large tensors of known shape, compiled.

    What leaves the training stays plain: an exported graph has to run where there is no XLA.

    Args:
        function: Of a module, without variables and randomness; it returns one tensor. Compiled, it works in float32.
        *tensors: What gradients flow to; the outcome has the first one's data type.
        constants: What none flows to.
        training: Whether this is a training step.
    """
    if not (training and pays(tensors[0].shape)):
        return function(*tensors, *constants)
    import tensorflow as tf

    forward, back = _both_ways(function)

    @tf.custom_gradient
    def run(*tensors: Any) -> Any:
        return forward(tensors, constants), lambda upstream: back(tensors, constants, upstream)

    return run(*tensors)


def pays(shape: Any, least: int | None = None) -> bool:
    """Whether work on a tensor is worth compiling by itself: not where JAX compiles the whole step, or shapes vary.

    Args:
        shape: The tensor's.
        least: Elements from which on it is; None for what a call costs.
    """
    if keras.backend.backend() != "tensorflow" or None in tuple(shape):
        return False
    return math.prod(shape) >= (_LARGE if least is None else least)


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function compiled with XLA, the same one each time; on TensorFlow, where no gradient is asked for."""
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def narrowed(values: Any, dtype: Any) -> Any:
    """Returns float32 values in a data type, rounded to bfloat16 as everywhere, half to even; for what is compiled.

    It is done on the bits, for XLA's own rounding takes a processor longer than an exponential: two passes over eight
    million numbers, 6.8 and 4.3 ms. A NaN stays one as arithmetic makes it; one whose every bit is set would not.
    """
    import tensorflow as tf

    if tf.as_dtype(dtype) != tf.bfloat16:
        return tf.cast(values, dtype)
    bits, half_way = tf.bitcast(values, tf.uint32), tf.constant(0x7FFF, tf.uint32)
    sixteen, one = tf.constant(16, tf.uint32), tf.constant(1, tf.uint32)
    last_kept = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, sixteen), one)
    rounded = tf.bitwise.right_shift(bits + half_way + last_kept, sixteen)
    return tf.bitcast(tf.cast(rounded, tf.uint16), tf.bfloat16)


@functools.cache
def _both_ways(function: Callable[..., Any]) -> tuple[Any, Any]:
    import tensorflow as tf

    def widened(parts: Any) -> list[Any]:
        # In float32, for a processor turns bfloat16 into it at each operation anyway.
        return [tf.cast(part, tf.float32) for part in parts]

    def forward(tensors: Any, constants: Any) -> Any:
        return narrowed(function(*widened(tensors), *widened(constants)), tensors[0].dtype)

    def back(tensors: Any, constants: Any, upstream: Any) -> Any:
        parts = widened(tensors)
        with tf.GradientTape() as tape:  # made anew: cheaper than to keep what lies between
            tape.watch(parts)
            outcome = function(*parts, *widened(constants))
        gradients = tape.gradient(outcome, parts, tf.cast(upstream, tf.float32))
        return [narrowed(gradient, part.dtype) for gradient, part in zip(gradients, tensors, strict=True)]

    return compiled(forward), compiled(back)
