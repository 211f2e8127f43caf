"""LSTM: gates that let a state, and its gradient, last.

Source: Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; Gers et al. 2000 (forget gate),
https://doi.org/10.1162/089976600300015015.
"""

from __future__ import annotations

from typing import Any, Literal

from textseq.encoder import StackedEncoder
from textseq.layers.recurrence import RecurrentStack
from textseq.registry import encoders


@encoders.register("lstm")
class LSTM(StackedEncoder):
    """Long short-term memory, in both directions unless causal.

    Args:
        units: Width of the outputs; even unless causal, for each direction has half.
        causal: One direction, so that no step sees the future; otherwise both.
        depth: Layers.
        dropout: Fraction of each layer's inputs dropped in training, 0 to 1.
        variational: Whether a sequence drops the same features at every step.
        recurrent_dropout: Fraction of the state dropped where it enters the recurrent product, 0 to 1.
        layer_norm: Whether each layer's outputs are normalised.
        residual: Whether a layer's inputs are added to its outputs, where both have one width.
        forget_bias: The forget gates at first: "one" (open), "zero", or "chrono" (open for 1 to `chrono_length` steps).
        chrono_length: Longest memory that "chrono" begins with, in steps.
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
        forget_bias: Literal["one", "zero", "chrono"] = "one",
        chrono_length: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack: RecurrentStack = RecurrentStack(
            "lstm",
            units,
            depth=depth,
            causal=causal,
            dropout=dropout,
            variational=variational,
            recurrent_dropout=recurrent_dropout,
            layer_norm=layer_norm,
            residual=residual,
            forget_bias=forget_bias,
            chrono_length=chrono_length,
            dtype=self.dtype_policy,
        )

    def entrance(self) -> RecurrentStack:
        """Returns the layers: inputs go straight into them."""
        return self.stack
