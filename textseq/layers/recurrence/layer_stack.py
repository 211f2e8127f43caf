"""Layers that carry a state over time on top of each other, in one direction or in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from textseq.errors import UsageError, problem


class LayerStack(keras.layers.Layer):
    """`depth` layers over `(batch, time, features)`.

    A layer takes `(inputs (time, batch, features), real (time, batch, 1) or None, initial_state, training)`, gives its
    outputs `(time, batch, width)` and its final state, a list, and has `get_initial_state`.

    Args:
        units: Width of the outputs; two directions have half of it each.
        make: Makes a layer: `make(width, reverse=…, dtype=…)`.
        depth: Layers.
        hidden: Width of all layers but the last, where it is not `units`.
        causal: One direction, forwards; otherwise both.
        dropout: Fraction of each layer's inputs dropped in training; a list has one for each.
        variational: Whether a sequence drops the same features at every step (Gal & Ghahramani 2016,
            https://arxiv.org/abs/1512.05287).
        layer_norm: Whether each layer's outputs are normalised.
        residual: Whether a layer's inputs are added to its outputs, where both are of one width.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        UsageError: `units` is odd with two directions.
    """

    def __init__(
        self,
        units: int,
        make: Callable[..., Any],
        *,
        depth: int = 1,
        hidden: int | None = None,
        causal: bool = False,
        dropout: float | Sequence[float] = 0.0,
        variational: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.widths = [hidden or units] * (depth - 1) + [units]
        for name, width in (("units", units), ("hidden", self.widths[0])):
            if not causal and width % 2:
                wrong = "must be even when causal is false, for two directions share it"
                raise UsageError(problem(f"encoder.{name}", wrong, received=width))
        self.causal, self.residual, self.units = causal, residual, units
        directions = (False,) if causal else (False, True)
        self.layers = [
            [make(width // len(directions), reverse=reverse, dtype=self.dtype_policy) for reverse in directions]
            for width in self.widths
        ]
        noise = (1, None, None) if variational else None  # time comes first in here
        rates = dropout if isinstance(dropout, Sequence) else [dropout] * depth
        self.dropouts = [keras.layers.Dropout(rate, noise_shape=noise, dtype=self.dtype_policy) for rate in rates]
        self.norms = [
            keras.layers.LayerNormalization(dtype=self.dtype_policy) for _ in range(depth if layer_norm else 0)
        ]

    def build(self, input_shape: Any) -> None:
        """Makes every layer's weights."""
        shape = tuple(input_shape)
        for number, directions in enumerate(self.layers):
            for layer in directions:
                layer.build(shape)
            shape = (*shape[:-1], self.widths[number])
            if self.norms:
                self.norms[number].build(shape)
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
            if self.residual and len(before.shape) > 2 and before.shape[-1] == self.widths[number]:
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

    def _layer(self, directions: list[Any], inputs: Any, real: Any, first: Any, training: Any) -> tuple[Any, Any]:
        """Returns a layer's outputs `(time, batch, units)` and its first direction's final state."""
        results = [layer(inputs, real, initial_state=first, training=training) for layer in directions]
        outputs = ops.concatenate([outputs for outputs, _ in results], -1) if len(results) > 1 else results[0][0]
        return ops.cast(outputs, self.compute_dtype), results[0][1]
