"""RNN, GRU or LSTM layers on top of each other, and what an export makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.layers.recurrence.layer import ForgetBias, RecurrentLayer
from textseq.layers.recurrence.layer_stack import LayerStack
from textseq.layers.recurrence.prepared import LARGEST_TABLE


class RecurrentStack(LayerStack):
    """`depth` recurrent layers over `(batch, time, features)`.

    Args:
        cell: "rnn", "gru" or "lstm".
        units: Width of the outputs; two directions have half of it each.
        recurrent_dropout: Fraction of h dropped where it enters the recurrent product.
        weight_dropout: Fraction of the recurrent kernel dropped.
        forget_bias: LSTM's forget gates at first: "one", "zero" or "chrono".
        chrono_length: Longest memory that "chrono" begins with, in steps.
        **kwargs: Arguments of `LayerStack`.

    Raises:
        UsageError: `units` is odd with two directions.
    """

    def __init__(
        self,
        cell: str,
        units: int,
        *,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        forget_bias: ForgetBias = "one",
        chrono_length: int = 100,
        **kwargs: Any,
    ) -> None:
        options: dict[str, Any] = {
            "recurrent_dropout": recurrent_dropout,
            "weight_dropout": weight_dropout,
            "forget_bias": forget_bias,
            "chrono_length": chrono_length,
        }
        super().__init__(units, lambda width, **more: RecurrentLayer(cell, width, **options, **more), **kwargs)

    def prepare(self, table: np.ndarray | None) -> bool:
        """Makes every layer ready for inference on TensorFlow in float32; see `RecurrentLayer.prepare`.

        Args:
            table: Rows that all inputs are taken from; None where they may be any vectors.

        Returns:
            Whether inputs are numbers of the table's rows from now on, `(batch, time)`. They are not where the product
            of table and kernels would be too large, nor where the vectors themselves are added to the outputs.
        """
        looks_up = table is not None and self._may_look_up(table)
        for number, directions in enumerate(self.layers):
            for layer in directions:
                layer.prepare(table if looks_up and number == 0 else None, apart=self.causal)
        return looks_up

    def unprepare(self) -> None:
        """Goes back to the weights as they are trained."""
        for directions in self.layers:
            for layer in directions:
                layer.unprepare()

    def _may_look_up(self, table: np.ndarray) -> bool:
        columns = sum(layer.kernel.shape[-1] for layer in self.layers[0])
        added = self.residual and table.shape[-1] == self.widths[0]
        return not added and 4 * len(table) * columns <= LARGEST_TABLE
