"""Queries, keys and values as heads, turned by their places, from the one product they come out of."""

from __future__ import annotations

import functools
from typing import Any

from keras import ops

from textseq.layers.attention.rotary import cos_and_sin, turned
from textseq.layers.one_pass import compiled, narrowed, pays

Heads = tuple[Any, Any, Any]  # queries (batch, heads, time, width), keys and values (batch, kv_heads, time, width)


def split_heads(projected: Any, heads: int, kv_heads: int) -> Heads:
    """Returns queries, keys and values, not turned.

    Args:
        projected: `(batch, time, (heads + 2·kv_heads)·width)`
        heads: Of the queries.
        kv_heads: Of keys and values.
    """
    shape, total = ops.shape(projected), heads + 2 * kv_heads
    together = ops.reshape(projected, (shape[0], shape[1], total, projected.shape[-1] // total))
    queries, keys, values = ops.split(ops.transpose(together, (0, 2, 1, 3)), [heads, heads + kv_heads], axis=1)
    return queries, keys, values


def turned_heads(projected: Any, heads: int, kv_heads: int, turns: Any) -> Heads:
    """Does the same in a training step on TensorFlow, where `pays`: in one pass, queries and keys turned.

    Args:
        projected: As above.
        heads: Of the queries, which are also scaled by 1 over the root of their width.
        kv_heads: Of keys and values.
        turns: What `angles` returns.
    """
    import tensorflow as tf

    cos, sin = (tf.cast(part, tf.float32) for part in cos_and_sin(turns))

    def back(*upstream: Any) -> Any:
        # XLA is slow at putting the three side by side.
        return tf.reshape(tf.concat(compiled(_turned_back)(*upstream, cos, sin), 2), tf.shape(projected))

    @tf.custom_gradient
    def run(projected: Any) -> Any:
        return compiled(_forward(heads, kv_heads))(projected, cos, sin), back

    queries, keys, values = run(projected)
    return queries, keys, values


def suits(projected: Any, training: Any) -> bool:
    """Whether `turned_heads` is for such a product."""
    return bool(training) and pays(projected.shape)


@functools.cache
def _forward(heads: int, kv_heads: int) -> Any:
    def forward(projected: Any, cos: Any, sin: Any) -> Heads:
        return _turned(*split_heads(projected, heads, kv_heads), cos, sin)

    return forward


def _turned_back(queries: Any, keys: Any, values: Any, cos: Any, sin: Any) -> list[Any]:
    """Returns the parts of the gradient, `(batch, time, their heads, width)` each."""
    return [ops.transpose(part, (0, 2, 1, 3)) for part in _turned(queries, keys, values, cos, -sin)]


def _turned(queries: Any, keys: Any, values: Any, cos: Any, sin: Any) -> Heads:
    scale, dtype = queries.shape[-1] ** -0.5, queries.dtype
    queries, keys = (ops.cast(part, "float32") for part in (queries, keys))
    queries, keys = turned(queries, cos * scale, sin * scale), turned(keys, cos, sin)
    return narrowed(queries, dtype), narrowed(keys, dtype), values
