"""RNN: the plain recurrence, without gates.

Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1.
"""

from __future__ import annotations

from typing import Any

from textseq.encoder import StackedEncoder
from textseq.layers.recurrence import RecurrentStack
from textseq.registry import encoders


@encoders.register("rnn")
class RNN(StackedEncoder):
    """A tanh recurrent network, in both directions unless causal.

    Args:
        units: Width of the outputs; even unless causal, for each direction has half.
        causal: One direction, so that no step sees the future; otherwise both.
        depth: Layers.
        dropout: Fraction of each layer's inputs dropped in training, 0 to 1.
        variational: Whether a sequence drops the same features at every step.
        recurrent_dropout: Fraction of the state dropped where it enters the recurrent product, 0 to 1.
        layer_norm: Whether each layer's outputs are normalised.
        residual: Whether a layer's inputs are added to its outputs, where both have one width.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        layer_norm: bool = False,
        residual: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack: RecurrentStack = RecurrentStack(
            "rnn",
            units,
            depth=depth,
            causal=causal,
            dropout=dropout,
            variational=variational,
            recurrent_dropout=recurrent_dropout,
            layer_norm=layer_norm,
            residual=residual,
            dtype=self.dtype_policy,
        )

    def entrance(self) -> RecurrentStack:
        """Returns the layers: inputs go straight into them."""
        return self.stack
