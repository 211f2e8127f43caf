"""Softmax, over all places or over those that count."""

from __future__ import annotations

from typing import Any

from keras import ops

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


def softmax(scores: Any) -> Any:
    """Returns weights that sum to 1 along the last axis; quietly, also where that has length 1."""
    return ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores)
