"""A convolution over time that knows padding and, where it is causal, carries its last inputs on as its state."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class TimeConvolution(keras.layers.Layer):
    """Each step's outputs are made of the `width` steps around it, or of those up to it.

    Args:
        units: Width of the outputs.
        width: Steps that an output sees.
        dilation: Distance between two of them.
        causal: Whether the last of them is the output's own step; it is the middle one otherwise.
        by_feature: Whether each feature is convolved with itself alone; inputs are then of width `units`.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        width: int,
        dilation: int = 1,
        causal: bool = False,
        by_feature: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.units, self.width, self.dilation, self.causal = units, width, dilation, causal
        self.by_feature = by_feature

    @property
    def span(self) -> int:
        """How many steps beside its own an output sees, those skipped included."""
        return (self.width - 1) * self.dilation

    def build(self, input_shape: Any) -> None:
        """Makes the weights: a Glorot kernel `(width, features or 1, units)`, and a bias."""
        shape = (self.width, 1 if self.by_feature else int(input_shape[-1]), self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_uniform", autocast=False)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros", autocast=False)
        self.built = True

    def call(self, inputs: Any, real: Any = None, window: Any = None) -> tuple[Any, Any]:
        """Convolves.

        Args:
            inputs: `(batch, time, features)`
            real: 1.0 at real steps, which come before all padding; None where all are. `(batch, time, 1)`
            window: The inputs before the first, in float32; None for zeros. `(batch, span, features)`

        Returns:
            The outputs `(batch, time, units)`, and, where it is causal, the window after the last real step.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        if real is not None:
            inputs = ops.where(real > 0.5, inputs, 0.0)
        whole, after = self._with_past(inputs, real, window)
        outputs = self._convolved(whole, ops.shape(inputs)[1])
        return outputs + ops.cast(self.bias, outputs.dtype), after

    def get_initial_state(self, batch_size: Any) -> Any:
        """Returns the window before the first step: zeros `(batch, span, units)`, for inputs of width `units`."""
        return ops.zeros((batch_size, self.span, self.units), self.variable_dtype)

    def _with_past(self, inputs: Any, real: Any, window: Any) -> tuple[Any, Any]:
        """Returns the inputs with what stands around them, and the window after them."""
        if not self.causal:
            before = self.span // 2
            return ops.pad(inputs, ((0, 0), (before, self.span - before), (0, 0))), None
        if window is None:
            window = ops.zeros((ops.shape(inputs)[0], self.span, inputs.shape[-1]), self.variable_dtype)
        whole = ops.concatenate([ops.cast(window, inputs.dtype), inputs], 1)
        exact = ops.concatenate([window, ops.cast(inputs, window.dtype)], 1)
        if real is None:
            return whole, exact[:, ops.shape(inputs)[1] :]
        lengths = ops.cast(ops.sum(real[..., 0], 1), "int32")
        places = lengths[:, None] + ops.arange(self.span, dtype="int32")[None]
        return whole, ops.take_along_axis(exact, places[..., None], axis=1)

    def _convolved(self, whole: Any, time: Any) -> Any:
        """Returns one product over all steps of all shifts; for a few features each, sums of them are quicker."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        places = [step * self.dilation for step in range(self.width)]
        shifted = [whole[:, place : place + time] for place in places]
        if self.by_feature:
            return sum(part * kernel[step, 0] for step, part in enumerate(shifted))
        rows = ops.reshape(ops.concatenate(shifted, -1), (-1, self.width * whole.shape[-1]))
        product = ops.matmul(rows, ops.reshape(kernel, (-1, self.units)))
        return ops.reshape(product, (ops.shape(whole)[0], time, self.units))
