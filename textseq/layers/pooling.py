"""One vector for a text, from those of its steps; padding never counts."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from textseq.layers.masked_softmax import masked_softmax

Kind = Literal["last", "mean", "max", "attention"]


class Pooling(keras.layers.Layer):
    """Pools `(batch, time, units)` to `(batch, units)`; a row without real steps gives zeros.

    Args:
        kind: "last" (the last real step; of a bidirectional encoder's backward half, which ends there, the first),
            "mean", "max", or "attention" (a mean whose weights are learned, Yang et al. 2016,
            https://aclanthology.org/N16-1174/).
        bidirectional: Whether the second half of the units reads backwards; counts for "last".
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, kind: Kind, *, bidirectional: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.kind: Kind = kind
        self.bidirectional = bidirectional
        self.score: Any = None

    def build(self, input_shape: Any) -> None:
        """Makes the attention's weights."""
        if self.kind == "attention":
            width = int(input_shape[-1])
            self.hidden = keras.layers.Dense(width, activation="tanh", dtype=self.dtype_policy)
            self.score = keras.layers.Dense(1, use_bias=False, dtype=self.dtype_policy)
            self.hidden.build(input_shape)
            self.score.build((*input_shape[:-1], width))
        self.built = True

    def call(self, encoded: Any, mask: Any = None) -> Any:
        """Pools.

        Args:
            encoded: `(batch, time, units)`
            mask: True at real steps; None where all are. `(batch, time)`
        """
        shape = ops.shape(encoded)
        real = ops.ones(shape[:2], "bool") if mask is None else ops.cast(mask, "bool")
        weights = ops.cast(real, encoded.dtype)[..., None]  # (batch, time, 1)
        if self.kind == "max":
            lowest = ops.full_like(encoded, -1e9 if encoded.dtype != "float16" else -6e4)
            best = ops.max(ops.where(real[..., None], encoded, lowest), axis=1)
            return ops.where(ops.any(real, axis=1)[:, None], best, ops.zeros_like(best))
        if self.kind == "mean":
            return ops.sum(encoded * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)
        if self.kind == "attention":
            return self._attend(encoded, real, weights)
        return self._last(encoded, real, weights)

    def compute_mask(self, encoded: Any, previous_mask: Any = None) -> None:
        """Returns None: one vector a text has no padding, and Keras would weigh the loss by the steps' mask."""
        return

    def _attend(self, encoded: Any, real: Any, weights: Any) -> Any:
        scores = ops.cast(self.score(self.hidden(encoded)), "float32")  # (batch, time, 1)
        attention = ops.cast(masked_softmax(scores, real[..., None], axis=1), encoded.dtype) * weights
        return ops.sum(attention * encoded, axis=1)

    def _last(self, encoded: Any, real: Any, weights: Any) -> Any:
        places = ops.cumsum(ops.cast(real, "int32"), axis=1)
        total = places[:, -1:]
        at_last = ops.cast(ops.logical_and(real, places == total), encoded.dtype)[..., None]
        last = ops.sum(encoded * at_last, axis=1)
        if not self.bidirectional:
            return last
        at_first = ops.cast(ops.logical_and(real, places == 1), encoded.dtype)[..., None]
        half = encoded.shape[-1] // 2
        return ops.concatenate([last[:, :half], ops.sum(encoded * at_first, axis=1)[:, half:]], -1)
