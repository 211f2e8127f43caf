"""Normalisation by the root of the mean square. Source: Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.one_pass import one_pass
from textseq.layers.variables import as_tensor

_EPSILON = 1e-6


class RMSNormalization(keras.layers.RMSNormalization):
    """`keras.layers.RMSNormalization` over the last axis, in one pass over memory where that pays.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(epsilon=_EPSILON, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns the inputs over the root of their mean square, scaled; of their shape."""
        return one_pass(_normalized, inputs, as_tensor(self.scale), training=training)


def _normalized(inputs: Any, scale: Any) -> Any:
    return ops.rms_normalization(inputs, scale=scale, axis=-1, epsilon=_EPSILON)
