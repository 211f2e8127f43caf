"""Recurrent layers on top of each other, in one direction or in both."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.errors import UsageError, problem
from textseq.layers.recurrence.layer import ForgetBias, RecurrentLayer
from textseq.layers.recurrence.prepared import LARGEST_TABLE


class RecurrentStack(keras.layers.Layer):
    """`depth` recurrent layers over `(batch, time, features)`.

    Args:
        cell: "rnn", "gru" or "lstm".
        units: Width of the outputs; two directions have half of it each.
        depth: Layers.
        causal: One direction, forwards; otherwise both.
        dropout: Fraction of each layer's inputs dropped in training.
        variational: Whether a sequence drops the same features at every step (Gal & Ghahramani 2016,
            https://arxiv.org/abs/1512.05287).
        recurrent_dropout: Fraction of h dropped where it enters the recurrent product.
        layer_norm: Whether each layer's outputs are normalised.
        residual: Whether a layer's inputs are added to its outputs, where both are of one width.
        forget_bias: LSTM's forget gates at first: "one", "zero" or "chrono".
        chrono_length: Longest memory that "chrono" begins with, in steps.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        UsageError: `units` is odd with two directions.
    """

    def __init__(
        self,
        cell: str,
        units: int,
        *,
        depth: int = 1,
        causal: bool = False,
        dropout: float = 0.0,
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        layer_norm: bool = False,
        residual: bool = False,
        forget_bias: ForgetBias = "one",
        chrono_length: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        if not causal and units % 2:
            wrong = "must be even when causal is false, for two directions share it"
            raise UsageError(problem("encoder.units", wrong, received=units))
        self.causal, self.residual, self.units = causal, residual, units
        width = units if causal else units // 2
        options: dict[str, Any] = {
            "recurrent_dropout": recurrent_dropout,
            "forget_bias": forget_bias,
            "chrono_length": chrono_length,
            "dtype": self.dtype_policy,
        }
        directions = (False,) if causal else (False, True)
        self.layers = [
            [RecurrentLayer(cell, width, reverse=reverse, **options) for reverse in directions] for _ in range(depth)
        ]
        noise = (1, None, None) if variational else None  # time comes first in here
        self.dropouts = [
            keras.layers.Dropout(dropout, noise_shape=noise, dtype=self.dtype_policy) for _ in range(depth)
        ]
        self.norms = [
            keras.layers.LayerNormalization(dtype=self.dtype_policy) for _ in range(depth if layer_norm else 0)
        ]

    def build(self, input_shape: Any) -> None:
        """Makes every layer's weights."""
        shape = tuple(input_shape)
        for directions in self.layers:
            for layer in directions:
                layer.build(shape)
            shape = (*shape[:-1], self.units)
        for norm in self.norms:
            norm.build(shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Returns the outputs `(batch, time, units)`, and with `return_state` the state: a list of [h] or [h, c].

        Inputs are `(batch, time, features)`, or numbers of rows `(batch, time)` once it is prepared for a table.
        """
        real = None
        if mask is not None:
            real = ops.cast(ops.transpose(mask), self.variable_dtype)[..., None]  # (time, batch, 1)
        outputs, state = ops.swapaxes(inputs, 0, 1), []  # (time, batch, features), or (time, batch) of rows' numbers
        for number, directions in enumerate(self.layers):
            before = outputs
            dropped = self.dropouts[number](before, training=training)
            first = None if initial_state is None else initial_state[number]
            outputs, final = self._layer(directions, dropped, real, first, training)
            if self.norms:
                outputs = self.norms[number](outputs)
            if self.residual and len(before.shape) > 2 and before.shape[-1] == self.units:
                outputs = outputs + ops.cast(before, outputs.dtype)
            state.append(final)
        outputs = ops.transpose(outputs, (1, 0, 2))
        return (outputs, state) if return_state else outputs

    def get_initial_state(self, batch_size: Any) -> list[list[Any]]:
        """Returns zeros for each layer.

        Raises:
            UsageError: Both directions are read, so nothing can be carried on.
        """
        if not self.causal:
            raise UsageError(problem("encoder.causal", "must be true to carry state: a half of it reads backwards"))
        return [directions[0].get_initial_state(batch_size) for directions in self.layers]

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
        added = self.residual and table.shape[-1] == self.units
        return not added and 4 * len(table) * columns <= LARGEST_TABLE

    def _layer(
        self, directions: list[RecurrentLayer], inputs: Any, real: Any, first: Any, training: Any
    ) -> tuple[Any, Any]:
        """Returns a layer's outputs `(time, batch, units)` and its first direction's final state."""
        results = [layer(inputs, real, initial_state=first, training=training) for layer in directions]
        outputs = ops.concatenate([outputs for outputs, _ in results], -1) if len(results) > 1 else results[0][0]
        return ops.cast(outputs, self.compute_dtype), results[0][1]
