"""Softmax, over all places or over those that count."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.one_pass import compiled, narrowed, pays

_NEVER = -1e9


def masked_softmax(scores: Any, real: Any, *, axis: int = -1) -> Any:
    """Returns weights that are 0 where `real` is False and sum to 1 over the rest; even ones where none is.

    Keras's own softmax warns of an axis of length 1, which a text of one token has.

    Args:
        scores: Any shape, float32.
        real: Boolean, broadcast to the scores' shape.
        axis: Along which the weights sum to 1.
    """
    scores = ops.where(real, scores, _NEVER)
    powers = ops.exp(scores - ops.stop_gradient(ops.max(scores, axis=axis, keepdims=True, initial=_NEVER)))
    return powers / ops.sum(powers, axis=axis, keepdims=True)


def softmax(scores: Any, hidden: Any = None, *, training: bool | None = None) -> Any:
    """Returns weights, of the scores' data type, that sum to 1 along the last axis; quietly, also where that is 1 long.

    Args:
        scores: Any shape.
        hidden: Added to the scores; broadcast to their shape. No gradient flows to it in training.
        training: Whether this is a training step.
    """
    if scores.shape[-1] == 1:
        return ops.ones_like(scores)
    if training and pays(scores.shape):
        return _compiled(scores, ops.zeros((1,), "float32") if hidden is None else hidden)
    wide = ops.cast(scores, "float32")
    return ops.cast(ops.softmax(wide if hidden is None else wide + hidden), scores.dtype)


def _compiled(scores: Any, hidden: Any) -> Any:
    """Returns the same, with what stands before and behind TensorFlow's own softmax in one pass each."""
    import tensorflow as tf

    @tf.custom_gradient
    def run(scores: Any) -> Any:
        weights = tf.cast(tf.nn.softmax(compiled(_sum)(scores, hidden)), scores.dtype)
        return weights, lambda upstream: compiled(_back)(weights, upstream)

    return run(scores)


def _sum(scores: Any, hidden: Any) -> Any:
    return ops.cast(scores, "float32") + hidden


def _back(weights: Any, upstream: Any) -> Any:
    """Returns the scores' gradient; its sum is a product, before which XLA writes out less."""
    dtype, weights, upstream = weights.dtype, ops.cast(weights, "float32"), ops.cast(upstream, "float32")
    along = ops.reshape(weights * upstream, (-1, weights.shape[-1]))
    mean = ops.matmul(along, ops.ones((weights.shape[-1], 1)))
    return narrowed(weights * (upstream - ops.reshape(mean, (*weights.shape[:-1], 1))), dtype)
