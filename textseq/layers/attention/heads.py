"""Queries, keys and values as heads, turned by their places, from the one product they come out of."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from textseq.layers.attention.rotary import turned
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

    library: Any = np if isinstance(turns, np.ndarray) else ops
    cos, sin = (tf.cast(function(turns), tf.float32) for function in (library.cos, library.sin))
    forward, back = _both_ways(heads, kv_heads)

    @tf.custom_gradient
    def run(projected: Any) -> Any:
        return compiled(forward)(projected, cos, sin), lambda *upstream: compiled(back)(*upstream, cos, sin)

    queries, keys, values = run(projected)
    return queries, keys, values


def suits(projected: Any, training: Any) -> bool:
    """Whether `turned_heads` is for such a product."""
    return bool(training) and pays(projected.shape)


@functools.cache
def _both_ways(heads: int, kv_heads: int) -> tuple[Any, Any]:
    def forward(projected: Any, cos: Any, sin: Any) -> Heads:
        queries, keys, values = split_heads(ops.cast(projected, "float32"), heads, kv_heads)
        scale = queries.shape[-1] ** -0.5
        found = (turned(queries, cos * scale, sin * scale), turned(keys, cos, sin), values)
        queries, keys, values = (narrowed(part, projected.dtype) for part in found)
        return queries, keys, values

    def back(queries: Any, keys: Any, values: Any, cos: Any, sin: Any) -> Any:
        scale, dtype = queries.shape[-1] ** -0.5, queries.dtype
        queries, keys, values = (ops.cast(part, "float32") for part in (queries, keys, values))
        found = (turned(queries, cos * scale, -sin * scale), turned(keys, cos, -sin), values)
        together = ops.transpose(ops.concatenate([narrowed(part, dtype) for part in found], 1), (0, 2, 1, 3))
        return ops.reshape(together, (*together.shape[:2], together.shape[2] * together.shape[3]))

    return forward, back
