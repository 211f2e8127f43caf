"""RG-LRU: Griffin's recurrent block, in which a gated linear recurrence runs beside a gate of the inputs.

Source: De et al. 2024 (Griffin), https://arxiv.org/abs/2402.19427.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.layers.convolution import TimeConvolution
from textseq.layers.dense import Dense
from textseq.layers.recurrence import LayerStack, LinearLayer
from textseq.registry import encoders

_SHARPNESS = 8.0  # c in the paper
_WINDOW = 4  # steps that the convolution before the recurrence sees
_SLOWEST, _QUICKEST = 0.999, 0.9  # what a step keeps at first, at most and at least


@encoders.register("rglru")
class RGLRU(Encoder):
    """Griffin's residual blocks without its attention; the recurrence goes in both directions unless causal.

    Args:
        units: Width throughout; even unless causal, for each direction has half.
        causal: Whether a step sees no later one.
        depth: Blocks.
        dropout: Fraction of each block's additions dropped in training, 0 to 1.
        feed_forward: Width of the gated feed-forward layer as a multiple of `units`; 0 for none.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 1,
        dropout: float = 0.0,
        feed_forward: float = 3.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.entry: Any = None
        inner = round(units * feed_forward)
        self.blocks = [
            Block(units, causal=causal, inner=inner, dropout=dropout, dtype=self.dtype_policy) for _ in range(depth)
        ]
        self.final_norm = keras.layers.RMSNormalization(epsilon=1e-6, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Makes the weights; inputs of another width are projected first."""
        if input_shape[-1] != self.units:
            self.entry = Dense(self.units, use_bias=False, dtype=self.dtype_policy)
            self.entry.build(input_shape)
        shape = (*tuple(input_shape)[:-1], self.units)
        for block in self.blocks:
            block.build(shape)
        self.final_norm.build(shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Returns `(batch, time, units)`, and with `return_state` the state after the last real step."""
        hidden = inputs if self.entry is None else self.entry(inputs)
        after = []
        for number, block in enumerate(self.blocks):
            state = None if initial_state is None else initial_state[number]
            hidden, state = block(hidden, real=mask, state=state, training=training)
            after.append(state)
        outputs = self.final_norm(hidden)
        return (outputs, after) if return_state else outputs

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Returns zeros: for each block the convolution's window `(batch, 3, units)`, and h `(batch, units)`.

        Raises:
            UsageError: The encoder is not causal.
        """
        return [
            {"h": block.recurrence.get_initial_state(batch_size), "window": block.window.get_initial_state(batch_size)}
            for block in self.blocks
        ]


class Block(keras.layers.Layer):
    """The recurrent block, then a gated feed-forward layer, each on normalised inputs and added to what came in.

    Args:
        units: Width.
        causal: Whether a step sees no later one.
        inner: Width of the feed-forward layer.
        dropout: Fraction of each addition dropped.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, *, causal: bool, inner: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        policy = self.dtype_policy
        self.units, self.inner, self.causal = units, inner, causal
        self.gate, self.branch, self.merge = (Dense(units, dtype=policy) for _ in range(3))
        self.window = TimeConvolution(units, width=_WINDOW, causal=causal, by_feature=True, dtype=policy)
        self.recurrence = LayerStack(units, GatedLinearUnits, causal=causal, dtype=policy)
        self.wide = [Dense(inner, dtype=policy) for _ in range(2 if inner else 0)]
        self.narrow = Dense(units, dtype=policy) if inner else None
        self.norms = [keras.layers.RMSNormalization(epsilon=1e-6, dtype=policy) for _ in range(2 if inner else 1)]
        self.dropouts = [keras.layers.Dropout(dropout, dtype=policy) for _ in self.norms]

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        for layer in (self.gate, self.branch, self.merge, self.window, self.recurrence, *self.wide, *self.norms):
            layer.build(input_shape)
        if self.narrow is not None:
            self.narrow.build((*input_shape[:-1], self.inner))
        self.built = True

    def call(self, inputs: Any, real: Any = None, state: Any = None, training: Any = None) -> tuple[Any, Any]:
        """Returns the outputs `(batch, time, units)`, and the state after the last real step where it is causal."""
        ones = None if real is None else ops.cast(real, self.variable_dtype)[..., None]
        h, window = (None, None) if state is None else (state["h"], state["window"])
        normed = self.norms[0](inputs)
        branch, window = self.window(self.branch(normed), real=ones, window=window)
        branch, h = self.recurrence(branch, mask=real, initial_state=h, return_state=True, training=training)
        mixed = self.merge(ops.gelu(self.gate(normed)) * branch)
        hidden = ops.cast(inputs, mixed.dtype) + self.dropouts[0](mixed, training=training)
        if self.narrow is not None:
            normed = self.norms[1](hidden)
            gated = self.narrow(ops.gelu(self.wide[0](normed)) * self.wide[1](normed))
            hidden = hidden + self.dropouts[1](gated, training=training)
        return hidden, {"h": h, "window": window}


class GatedLinearUnits(LinearLayer):
    """r, i = sigmoid(…); a = sigmoid(Λ)^(8 r); h' = a ⊙ h + √(1 - a²) ⊙ (i ⊙ x).

    Args:
        units: Width; that of the inputs, or half of it.
        **kwargs: Arguments of `LinearLayer`.
    """

    gates: tuple[str, ...] = ("recurrence", "input")

    def build(self, input_shape: Any) -> None:
        """Makes the weights: Λ such that, with its gate open, a step keeps 0.9 to 0.999 at first."""
        if input_shape[-1] != self.units:
            self.gates = (*type(self).gates, "value")
        super().build(input_shape)
        first = keras.initializers.RandomUniform(_QUICKEST, _SLOWEST)

        def slowness(shape: Any, dtype: Any = None) -> Any:
            kept = first(shape, dtype=dtype) ** (1 / _SHARPNESS)
            return ops.log(kept) - ops.log1p(-kept)

        self.slowness = self.add_weight(name="slowness", shape=(self.units,), initializer=slowness, autocast=False)

    def first_bias(self, gate: str) -> str | None:
        """Returns zeros for the gates; the projection of inputs of another width has none."""
        return None if gate == "value" else "zeros"

    def coefficients(self, inputs: Any, recurrence: Any, admit: Any, value: Any = None) -> tuple[Any, Any]:
        """Returns a, and what is added, both from log a, for a is close to 1."""
        value = ops.cast(inputs, recurrence.dtype) if value is None else value
        logarithm = -_SHARPNESS * ops.sigmoid(recurrence) * ops.softplus(-ops.convert_to_tensor(self.slowness))
        scale = ops.sqrt(ops.maximum(-ops.expm1(2 * logarithm), 1e-12))
        return ops.exp(logarithm), scale * ops.sigmoid(admit) * value
