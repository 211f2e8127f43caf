"""Self-attention over a sequence, or over a sequence and what is kept of the steps before it.

Sources: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Ainslie et al. 2023 (grouped queries),
https://arxiv.org/abs/2305.13245.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

import textseq.layers.attention.cache as cache
from textseq.layers.attention.fused import can_fuse, fused_attention
from textseq.layers.attention.heads import split_heads, suits, turned_heads
from textseq.layers.attention.native import native_attention
from textseq.layers.attention.rotary import angles, rotate
from textseq.layers.dense import Dense
from textseq.layers.masked_softmax import softmax
from textseq.layers.observing import observe, observed

_NEVER = -1e9


class SelfAttention(keras.layers.Layer):
    """Attention of each step over the steps it may see.

    Causal attention sees the step itself and the `context` - 1 real steps before it, in one call as in many: the state
    is a ring of the last `context` keys and values (`textseq.layers.attention.cache`).

    Args:
        units: Width of inputs and outputs.
        heads: Number of heads.
        kv_heads: Heads of keys and values; each serves heads / kv_heads queries.
        causal: Whether a step sees no later one.
        context: Steps in sight, for causal attention.
        dropout: Fraction of the attention weights dropped in training.
        initializer_scale: Multiplies the spread of the output projection's first weights.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        native_refusal: Why training does not use what is compiled for this processor; None where it does.
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
        self.native_refusal: str | None = "training did not ask for it"
        self.units, self.heads, self.kv_heads = units, heads, kv_heads
        self.causal, self.context, self.width = causal, context, units // heads
        spread = keras.initializers.VarianceScaling(initializer_scale**2, "fan_avg", "uniform")
        self.projection = Dense((heads + 2 * kv_heads) * self.width, use_bias=False, dtype=self.dtype_policy)
        self.output_projection = Dense(units, use_bias=False, kernel_initializer=spread, dtype=self.dtype_policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the projections."""
        self.projection.build(input_shape)
        self.output_projection.build((*input_shape[:-1], self.units))
        self.built = True

    def call(
        self,
        inputs: Any,
        real: Any = None,
        state: cache.Ring | None = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> tuple[Any, cache.Ring | None]:
        """Attends.

        Args:
            inputs: `(batch, time, units)`
            real: True at real steps; None where all are. `(batch, time)`
            state: A ring; None where nothing came before.
            return_state: Whether the ring after this call is wanted.
            training: Whether dropout is on.

        Returns:
            Outputs `(batch, time, units)`, and the ring where it was asked for.
        """
        projected = self.projection(inputs)
        steps = self._places(real, inputs)  # of the new steps: 0 for the first
        alone, turns = state is None and not return_state, angles(steps, self.width)
        if alone and self._runs_natively(inputs.shape[1], real, training):
            mixed = native_attention(projected, self.heads, turns, real, causal=self.causal)
            return self.output_projection(mixed), None
        if alone and suits(projected, training):
            heads = turned_heads(projected, self.heads, self.kv_heads, turns)
            return self.output_projection(self._mix(*heads, self._hidden(steps, steps, real), training)), None
        queries, keys, values = split_heads(projected, self.heads, self.kv_heads)
        after = None
        if return_state:
            before = self.get_initial_state(ops.shape(inputs)[0]) if state is None else state
            after = cache.write(before, keys, values, real)
        if state is None:
            seen, counted = steps, real
        elif after is not None and inputs.shape[1] == 1:  # the ring holds the new step too: nothing is joined
            keys, values, written = after
            seen, counted = cache.places(written, self.context)
            seen = seen + ops.cast(written - state[2], "int32")[:, None]
        else:
            old, was_written = cache.places(state[2], self.context)
            new = ops.ones_like(keys[:, 0, :, 0], dtype="bool") if real is None else real
            seen = ops.concatenate([old, ops.broadcast_to(steps, ops.shape(new))], 1)
            counted = ops.concatenate([was_written, new], 1)
            keys = ops.concatenate([ops.cast(state[0], keys.dtype), keys], 2)
            values = ops.concatenate([ops.cast(state[1], values.dtype), values], 2)
        queries = rotate(queries, turns, self.width**-0.5, training=training)
        keys = rotate(ops.cast(keys, self.compute_dtype), angles(seen, self.width), training=training)
        values = ops.cast(values, self.compute_dtype)
        if state is None and real is None and self._fuses(inputs.shape[1], training):
            mixed = fused_attention(queries, keys, values, causal=self.causal)
        else:
            mixed = self._mix(queries, keys, values, self._hidden(steps, seen, counted), training)
        return self.output_projection(mixed), after

    def get_initial_state(self, batch_size: Any) -> cache.Ring:
        """Returns a ring in which nothing was written."""
        shape = (batch_size, self.kv_heads, self.context, self.width)
        return ops.zeros(shape, "float32"), ops.zeros(shape, "float32"), ops.zeros((batch_size,), "int32")

    def _places(self, real: Any, inputs: Any) -> Any:
        """Returns each step's place: how many real steps of this call stand before it. `(batch or 1, time)`."""
        if real is not None:
            return ops.cumsum(ops.cast(real, "int32"), axis=1) - 1
        if inputs.shape[1] is not None:
            return np.arange(inputs.shape[1], dtype="int32")[None]
        return ops.arange(ops.shape(inputs)[1], dtype="int32")[None]

    def _hidden(self, steps: Any, seen: Any, real: Any) -> Any:
        """Returns what to add to the scores, so that no step sees what it must not; None for nothing.

        `(batch or 1, 1, queries, keys)`
        """
        visible = None if real is None else real[:, None, :]
        if self.causal:
            distance = steps[:, :, None] - seen[:, None, :]
            if isinstance(distance, np.ndarray):
                in_sight = (distance >= 0) & (distance < self.context)
            else:
                in_sight = ops.logical_and(distance >= 0, distance < self.context)
            visible = in_sight if visible is None else ops.logical_and(visible, in_sight)
        if visible is None:
            return None
        if isinstance(visible, np.ndarray):
            return None if visible.all() else np.where(visible, 0.0, _NEVER).astype("float32")[:, None]
        return ops.where(visible, 0.0, _NEVER)[:, None]

    def _fuses(self, time: int | None, training: Any) -> bool:
        """Returns whether one operation does all, where nothing is padded and nothing came before."""
        if time is None or (self.causal and time > self.context) or (training and self.dropout.rate):
            return False
        return can_fuse(self.compute_dtype, time) and not observed()

    def _runs_natively(self, time: int | None, real: Any, training: Any) -> bool:
        """Returns whether all is done by what is compiled for this processor, which knows no dropout and no window."""
        if self.native_refusal is not None or not training or self.dropout.rate or observed():
            return False
        return not self.causal or (real is None and time is not None and time <= self.context)

    def _mix(self, queries: Any, keys: Any, values: Any, hidden: Any, training: Any) -> Any:
        """Returns the values' mixtures. `(batch, queries, units)`."""
        shape = ops.shape(queries)
        group = self.heads // self.kv_heads
        grouped = (shape[0], self.kv_heads, group * shape[2], self.width)
        scores = ops.matmul(ops.reshape(queries, grouped), ops.transpose(keys, (0, 1, 3, 2)))
        scores = ops.reshape(scores, (shape[0], self.heads, shape[2], -1))
        weights = softmax(scores, hidden, training=training)
        observe("attention", str(self.path), weights=ops.cast(weights, "float32"))
        attention = self.dropout(weights, training=training)
        attention = ops.reshape(attention, (shape[0], self.kv_heads, group * shape[2], -1))
        mixed = ops.reshape(ops.matmul(attention, values), (shape[0], self.heads, shape[2], self.width))
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (shape[0], shape[2], self.units))
