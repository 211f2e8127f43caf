"""A plugin: an encoder that has no finite answer for a batch with one certain text, whatever the learning rate."""

from __future__ import annotations

from typing import Any

from keras import ops
from textseq_plugins.gru import GRU

from textseq.registry import encoders

LONG = 20  # tokens


@encoders.register("poisoned")
class Poisoned(GRU):
    """A GRU that answers nothing finite where a row of the batch has more than 20 tokens.

    Args:
        units: As of GRU.
        causal: As of GRU.
        dropout: As of GRU.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, *, causal: bool = False, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, dropout=dropout, **kwargs)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        outputs = super().call(inputs, mask, initial_state, return_state, training)
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        poison = ops.where(ops.any(lengths > LONG), float("nan"), 0.0)
        return (outputs[0] + poison, outputs[1]) if return_state else outputs + poison
