"""The ceiling: one large matrix product of TensorFlow, the fastest that this machine multiplies."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.specification import GEMM_SIDE, Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does one product."""
    import tensorflow as tf

    shape = (GEMM_SIDE, GEMM_SIDE)
    left, right = (tf.cast(tf.random.stateless_normal(shape, (0, n)), contender.precision) for n in range(2))
    return lambda: tf.matmul(left, right)
