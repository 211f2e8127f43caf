"""Normalisation by the root of the mean square. Source: Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.native import operations
from textseq.layers.one_pass import compiled, narrowed, pays
from textseq.layers.upstream import upstream_of
from textseq.layers.variables import as_tensor

_EPSILON = 1e-6


class RMSNormalization(keras.layers.RMSNormalization):
    """`keras.layers.RMSNormalization` over the last axis, in one pass over memory where that pays.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        native_refusal: Why training does not use what is compiled for this processor; None where it does.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(epsilon=_EPSILON, **kwargs)
        self.native_refusal: str | None = "training did not ask for it"

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns the inputs over the root of their mean square, scaled; of their shape."""
        scale = as_tensor(self.scale)
        if training and self.native_refusal is None:
            return ops.reshape(_natively(ops.reshape(inputs, (-1, inputs.shape[-1])), scale), ops.shape(inputs))
        if not (training and pays(inputs.shape)):
            return ops.rms_normalization(inputs, scale=scale, axis=-1, epsilon=_EPSILON)
        return _compiled(inputs, scale)


def add_and_normalize(
    norm: keras.layers.Layer, inputs: Any, added: Any, training: bool | None = None
) -> tuple[Any, Any]:
    """Returns inputs plus what is added to them, and that normalised; in one pass over memory where that is compiled.

    Args:
        norm: Of the last axis.
        inputs: Of any shape.
        added: Of the same shape, or None for nothing.
        training: Whether this is a training step.
    """
    if added is not None and training and isinstance(norm, RMSNormalization) and norm.native_refusal is None:
        rows = [ops.reshape(part, (-1, inputs.shape[-1])) for part in (inputs, added)]
        return tuple(ops.reshape(made, ops.shape(inputs)) for made in _added_natively(*rows, as_tensor(norm.scale)))
    sums = inputs if added is None else inputs + added
    return sums, norm(sums)


@ops.custom_gradient
def _added_natively(inputs: Any, added: Any, scale: Any) -> Any:
    """Returns sums of rows in float32, and those normalised."""
    shape, of_scale = (tuple(inputs.shape), "float32"), (tuple(scale.shape), "float32")
    outputs, roots, sums = operations.call(
        "textseq_added_normalized", (inputs, added, scale), [shape, (shape[0][:1], "float32"), shape], "float32"
    )

    def backward(*args: Any, upstream: Any = None) -> Any:
        d_sums, d_outputs = upstream_of(args, upstream)
        tensors = (sums, scale, roots, d_outputs, d_sums)
        d_inputs, d_scale = operations.call("textseq_added_normalized_back", tensors, [shape, of_scale], "float32")
        return d_inputs, d_inputs, d_scale

    return (sums, outputs), backward


@ops.custom_gradient
def _natively(inputs: Any, scale: Any) -> Any:
    """Returns the same of rows in float32."""
    shape, of_scale = (tuple(inputs.shape), "float32"), (tuple(scale.shape), "float32")
    outputs, roots = operations.call(
        "textseq_normalized", (inputs, scale), [shape, (shape[0][:1], "float32")], "float32"
    )

    def backward(*args: Any, upstream: Any = None) -> Any:
        tensors = (inputs, scale, roots, args[0] if upstream is None else upstream)
        return operations.call("textseq_normalized_back", tensors, [shape, of_scale], "float32")

    return outputs, backward


def _compiled(inputs: Any, scale: Any) -> Any:
    """Returns the same, with a gradient of its own that keeps a number a row.

    Sums are products with ones: XLA would write out what it is to sum, once more for each sum, and then read it.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def run(inputs: Any, scale: Any) -> Any:
        outcome, roots = compiled(_forward)(inputs, scale)
        return outcome, lambda upstream: compiled(_back)(inputs, scale, roots, upstream)

    return run(inputs, scale)


def _forward(inputs: Any, scale: Any) -> tuple[Any, Any]:
    """Returns the outcome and, of each row, 1 over the root."""
    width, wide = inputs.shape[-1], ops.cast(inputs, "float32")
    squares = ops.reshape(wide * wide, (-1, width))
    mean = ops.reshape(ops.matmul(squares, ops.full((width, 1), 1 / width)), (*inputs.shape[:-1], 1))
    roots = ops.rsqrt(mean + _EPSILON)
    return narrowed(wide * roots * ops.cast(scale, "float32"), inputs.dtype), roots


def _back(inputs: Any, scale: Any, roots: Any, upstream: Any) -> tuple[Any, Any]:
    """Returns the gradients of inputs and scale."""
    width, wide = inputs.shape[-1], ops.cast(inputs, "float32")
    factor, upstream = ops.cast(scale, "float32"), ops.cast(upstream, "float32")
    of_scale = ops.reshape(upstream * wide * roots, (-1, width))
    d_scale = ops.matmul(ops.ones((1, of_scale.shape[0])), of_scale)[0]
    along = ops.reshape(ops.matmul(of_scale, factor[:, None]), (*inputs.shape[:-1], 1)) / width
    d_inputs = roots * (factor * upstream - wide * roots * along)
    return narrowed(d_inputs, inputs.dtype), narrowed(d_scale, scale.dtype)
