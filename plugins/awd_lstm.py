"""AWD-LSTM: an LSTM whose recurrent weights are dropped, and whose other dropout is the same at every step.

Its other parts belong to training and to the embedding: `embedding.word_dropout`, `task.tied`, averaged weights
(`training.ema`).

Source: Merity et al. 2018, https://arxiv.org/abs/1708.02182.
"""

from __future__ import annotations

from typing import Any

import keras

from textseq.encoder import StackedEncoder
from textseq.layers.recurrence import RecurrentStack
from textseq.registry import encoders


@encoders.register("awd_lstm")
class AWDLSTM(StackedEncoder):
    """Weight-dropped LSTM, in both directions unless causal.

    Args:
        units: Width of the outputs; even unless causal, for each direction has half.
        causal: One direction, so that no step sees the future; otherwise both.
        depth: Layers.
        hidden: Width of all layers but the last; `units` where null.
        weight_dropout: Fraction of the recurrent weights dropped in training, the same for a whole batch, 0 to 1.
        input_dropout: Fraction of the inputs' features dropped, the same at every step.
        dropout: Fraction of the features dropped between layers, the same at every step.
        output_dropout: Fraction of the outputs' features dropped, the same at every step.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 2,
        hidden: int | None = None,
        weight_dropout: float = 0.5,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack = RecurrentStack(
            "lstm",
            units,
            depth=depth,
            hidden=hidden,
            causal=causal,
            dropout=[input_dropout, *[dropout] * (depth - 1)],
            variational=True,
            weight_dropout=weight_dropout,
            dtype=self.dtype_policy,
        )
        noise = (None, 1, None)  # (batch, time, units)
        self.output_dropout = keras.layers.Dropout(output_dropout, noise_shape=noise, dtype=self.dtype_policy)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Returns `(batch, time, units)`; padded steps repeat the state before them."""
        outputs, state = self.stack(
            inputs, mask=mask, initial_state=initial_state, return_state=True, training=training
        )
        outputs = self.output_dropout(outputs, training=training)
        return (outputs, state) if return_state else outputs

    def entrance(self) -> Any:
        """Returns the layers: outside training inputs go straight into them."""
        return self.stack
