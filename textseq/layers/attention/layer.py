"""Multi-head self-attention over a sequence, or over a sequence and the cache of what came before it.

Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Ainslie et al. 2023 (grouped queries),
https://arxiv.org/abs/2305.13245.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from textseq.layers.attention.rotary import rotate
from textseq.layers.masked_softmax import masked_softmax


class SelfAttention(keras.layers.Layer):
    """Attention of each step over the steps it may see.

    Causal attention sees the step itself and the `context` - 1 real steps before it, in one call as in many: the state
    is the last `context` keys and values. Keys are kept unturned, and turned by their place from the oldest step in
    sight on; so places stay small and exact however long the text.

    Args:
        units: Width of inputs and outputs.
        heads: Number of heads.
        kv_heads: Heads of keys and values; each serves heads / kv_heads queries.
        causal: Whether a step sees no later one.
        context: Steps in sight, for causal attention.
        dropout: Fraction of the attention weights dropped in training.
        initializer_scale: Multiplies the spread of the output projection's first weights.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        heads: int,
        kv_heads: int,
        causal: bool,
        context: int,
        dropout: float = 0.0,
        initializer_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.units, self.heads, self.kv_heads = units, heads, kv_heads
        self.causal, self.context, self.width = causal, context, units // heads
        spread = keras.initializers.VarianceScaling(initializer_scale**2, "fan_avg", "uniform")
        self.projection = keras.layers.Dense(
            (heads + 2 * kv_heads) * self.width, use_bias=False, dtype=self.dtype_policy
        )
        self.output_projection = keras.layers.Dense(
            units, use_bias=False, kernel_initializer=spread, dtype=self.dtype_policy
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the projections."""
        self.projection.build(input_shape)
        self.output_projection.build((*input_shape[:-1], self.units))
        self.built = True

    def call(self, inputs: Any, mask: Any, state: Any = None, training: bool | None = None) -> tuple[Any, Any]:
        """Attends.

        Args:
            inputs: `(batch, time, units)`
            mask: True at real steps. `(batch, time)`
            state: Keys and values `(batch, context, kv_heads, width)` each, the newest last, and how many of them
                count `(batch,)`; None for none.
            training: Whether dropout is on.

        Returns:
            Outputs `(batch, time, units)`, and the joined keys, values and mask `(batch, seen, …)` that
            `next_state` makes the state of.
        """
        batch, time = ops.shape(inputs)[0], ops.shape(inputs)[1]
        heads = self.projection(inputs)
        heads = ops.reshape(heads, (batch, time, self.heads + 2 * self.kv_heads, self.width))
        queries = heads[:, :, : self.heads]
        keys = heads[:, :, self.heads : self.heads + self.kv_heads]
        values = heads[:, :, self.heads + self.kv_heads :]
        real, before = mask, 0
        if state is not None:
            before = self.context
            old_keys, old_values, length = state
            keys = ops.concatenate([ops.cast(old_keys, keys.dtype), keys], 1)
            values = ops.concatenate([ops.cast(old_values, values.dtype), values], 1)
            counted = ops.arange(self.context)[None] >= self.context - length[:, None]
            real = ops.concatenate([counted, mask], 1)
        places = ops.cumsum(ops.cast(real, "int32"), axis=1) - 1  # (batch, seen): counts real steps only
        visible = self._visible(real, places, before)
        mixed = self._mix(rotate(queries, places[:, before:]), rotate(keys, places), values, visible, training)
        return self.output_projection(mixed), (keys, values, real)

    def next_state(self, seen: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        """Returns the last `context` real keys and values, the newest last, and how many there are."""
        keys, values, real = seen
        total = ops.shape(real)[1]
        order = ops.where(real, ops.arange(total)[None], -1)
        order = ops.argsort(order, axis=1)[:, -self.context :]  # real steps last, in their order
        missing = ops.maximum(self.context - ops.shape(order)[1], 0)
        picked = [
            ops.pad(
                ops.cast(ops.take_along_axis(part, order[..., None, None], axis=1), "float32"),
                [[0, 0], [missing, 0], [0, 0], [0, 0]],
            )
            for part in (keys, values)
        ]
        shape = (-1, self.context, self.kv_heads, self.width)
        length = ops.minimum(ops.sum(ops.cast(real, "int32"), axis=1), self.context)
        return ops.reshape(picked[0], shape), ops.reshape(picked[1], shape), length

    def _visible(self, real: Any, places: Any, before: int) -> Any:
        """Returns which keys each query may see. `(batch, queries, keys)`."""
        visible = real[:, None, :]
        if not self.causal:
            return visible
        distance = places[:, before:, None] - places[:, None, :]
        indices = ops.arange(ops.shape(places)[1])
        earlier = indices[before:, None] >= indices[None, :]
        in_sight = ops.logical_and(earlier[None], distance < self.context)
        return ops.logical_and(visible, in_sight)

    def _mix(self, queries: Any, keys: Any, values: Any, visible: Any, training: Any) -> Any:
        """Returns the values' mixtures. `(batch, queries, units)`."""
        shape = ops.shape(queries)
        group = self.heads // self.kv_heads
        queries = ops.reshape(queries, (shape[0], shape[1], self.kv_heads, group, self.width))
        scores = ops.einsum("bqkgw,bskw->bkgqs", queries, keys)
        scores = ops.cast(scores, "float32") / math.sqrt(self.width)
        weights = masked_softmax(scores, visible[:, None, None])
        attention = self.dropout(ops.cast(weights, values.dtype), training=training)
        mixed = ops.einsum("bkgqs,bskw->bqkgw", attention, values)
        return ops.reshape(mixed, (shape[0], shape[1], self.units))
