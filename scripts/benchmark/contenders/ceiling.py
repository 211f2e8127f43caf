"""The ceiling: one large matrix product, the fastest that this machine multiplies."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.queued import Queued
from benchmark.specification import GEMM_SIDES, Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does one product."""
    shape = (GEMM_SIDES[contender.device],) * 2
    if contender.backend == "jax":
        return _on_jax(shape, contender.precision)
    import tensorflow as tf

    left, right = (tf.cast(tf.random.stateless_normal(shape, (0, n)), contender.precision) for n in range(2))
    return lambda: tf.matmul(left, right)


def _on_jax(shape: tuple[int, int], dtype: str) -> Queued:
    import jax

    left, right = (jax.random.normal(jax.random.key(n), shape).astype(dtype) for n in range(2))
    product = jax.jit(jax.numpy.matmul)
    found = [product(left, right)]

    def ask() -> None:
        found[0] = product(left, right)

    return Queued(ask, lambda: found[0].block_until_ready())
