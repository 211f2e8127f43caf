"""CNN: convolutions of several widths side by side for classification; gated dilated ones, causal, for language models.

Sources: Kim 2014, https://arxiv.org/abs/1408.5882; Dauphin et al. 2017 (gated convolutions as a language model),
https://arxiv.org/abs/1612.08083; Yu & Koltun 2016 (dilation that doubles), https://arxiv.org/abs/1511.07122.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from textseq.encoder import Encoder
from textseq.errors import UsageError, problem
from textseq.layers.convolution import TimeConvolution
from textseq.registry import encoders


@encoders.register("cnn")
class CNN(Encoder):
    """Convolutions; their state, where they are causal, is the last inputs of each.

    Args:
        units: Width of the outputs; unless causal, at least as many as there are widths.
        causal: Gated residual layers that see earlier steps, twice as far apart from layer to layer; otherwise Kim's
            layers, which see both sides.
        depth: Layers.
        widths: Steps that outputs see, unless causal: the units are shared out among these; 3, 4 and 5 where null.
        width: Steps that a causal layer sees.
        dropout: Fraction of each layer's inputs dropped in training, 0 to 1.
        activation: Of Kim's layers: "gelu", "relu" or "tanh".
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 1,
        widths: list[int] | None = None,
        width: int = 3,
        dropout: float = 0.0,
        activation: Literal["gelu", "relu", "tanh"] = "gelu",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        more: dict[str, Any] = {"dropout": dropout, "dtype": self.dtype_policy}
        self.entry: Any = None
        widths = [3, 4, 5] if widths is None else widths
        if causal:
            self.layers = [GatedConvolution(units, width=width, dilation=2**i, **more) for i in range(depth)]
        elif not 0 < len(widths) <= units:
            raise UsageError(
                problem("encoder.widths", f"must be 1 to {units}, of which each gets units", received=widths)
            )
        else:
            self.layers = [SideBySide(units, widths=widths, activation=activation, **more) for _ in range(depth)]

    def build(self, input_shape: Any) -> None:
        """Makes the weights; causal layers add to their inputs, so inputs of another width are projected first."""
        shape = tuple(input_shape)
        if self.causal and shape[-1] != self.units:
            self.entry = keras.layers.Dense(self.units, use_bias=False, dtype=self.dtype_policy)
            self.entry.build(shape)
            shape = (*shape[:-1], self.units)
        for layer in self.layers:
            layer.build(shape)
            shape = (*shape[:-1], self.units)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Returns `(batch, time, units)`, and with `return_state` the windows after the last real step."""
        real = None if mask is None else ops.cast(mask, self.variable_dtype)[..., None]
        hidden = inputs if self.entry is None else self.entry(inputs)
        after = []
        for number, layer in enumerate(self.layers):
            window = None if initial_state is None else initial_state[number]
            hidden, window = layer(hidden, real=real, window=window, training=training)
            after.append(window)
        return (hidden, after) if return_state else hidden

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Returns zeros: for each layer its inputs before the first, `(batch, (width - 1)·dilation, units)`.

        Raises:
            UsageError: The encoder is not causal.
        """
        if not self.causal:
            raise UsageError(problem("encoder.causal", "must be true to carry state: steps look ahead"))
        return [layer.convolution.get_initial_state(batch_size) for layer in self.layers]


class SideBySide(keras.layers.Layer):
    """Convolutions of several widths over the same inputs, joined.

    Args:
        units: Width of the outputs, shared out as evenly as it can be.
        widths: Steps that each sees.
        activation: Name of a Keras activation.
        dropout: Fraction of the inputs dropped.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, *, widths: list[int], activation: str, dropout: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.supports_masking = True
        each, more = divmod(units, len(widths))
        self.convolutions = [
            TimeConvolution(each + (place < more), width=width, dtype=self.dtype_policy)
            for place, width in enumerate(widths)
        ]
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        for convolution in self.convolutions:
            convolution.build(input_shape)
        self.built = True

    def call(self, inputs: Any, real: Any = None, window: Any = None, training: Any = None) -> tuple[Any, None]:
        """Returns `(batch, time, units)`, and no window."""
        inputs = self.dropout(inputs, training=training)
        parts = [convolution(inputs, real=real)[0] for convolution in self.convolutions]
        return self.activation(ops.concatenate(parts, -1)), None


class GatedConvolution(keras.layers.Layer):
    """x + (W * x + b) ⊙ sigmoid(V * x + c): a causal convolution of which one half gates the other.

    Args:
        units: Width of inputs and outputs.
        width: Steps that an output sees.
        dilation: Distance between two of them.
        dropout: Fraction of the convolutions' inputs dropped.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, *, width: int, dilation: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.supports_masking = True
        more: dict[str, Any] = {"width": width, "dilation": dilation, "causal": True, "dtype": self.dtype_policy}
        self.convolution, self.gate = TimeConvolution(units, **more), TimeConvolution(units, **more)

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
        self.convolution.build(input_shape)
        self.gate.build(input_shape)
        self.built = True

    def call(self, inputs: Any, real: Any = None, window: Any = None, training: Any = None) -> tuple[Any, Any]:
        """Returns `(batch, time, units)`, and the window after the last real step."""
        seen = self.dropout(inputs, training=training)
        values, after = self.convolution(seen, real=real, window=window)
        gates, _ = self.gate(seen, real=real, window=window)
        return ops.cast(inputs, values.dtype) + values * ops.sigmoid(gates), after
