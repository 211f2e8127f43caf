"""Softmax cross-entropy over large vocabularies, in chunks: the array of all tokens' logits never exists.

Each chunk's logits are made once. In training its gradients are made with it, for a gradient from above of 1, and
scaled afterwards: three large products a chunk, where making the logits anew in the backward pass takes four.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops

_CHUNK_ROWS = 350
_MOST_CHUNKS = 64


def softmax_cross_entropy(hidden: Any, kernel: Any, bias: Any, targets: Any) -> Any:
    """Returns the negative log-likelihood of each target in nats, without a thought of gradients. `(rows,)`.

    Args:
        hidden: `(rows, features)`
        kernel: `(vocabulary, features)`, as an embedding table lies.
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
    """
    parts = []
    for rows in _chunks(hidden):
        nll, _ = _chunk(hidden[rows], kernel, bias, targets[rows])
        parts.append(nll)
    return ops.concatenate(parts, 0) if len(parts) > 1 else parts[0]


def weighted_softmax_cross_entropy(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> Any:
    """Returns the weighted sum of the targets' negative log-likelihoods in nats, for training; a scalar.

    Args:
        hidden: `(rows, features)`; products are made in its data type, sums in float32.
        kernel: `(vocabulary, features)`
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
        weights: Of each row; no gradient flows to them. `(rows,)`
    """

    @ops.custom_gradient
    def forward(hidden: Any, kernel: Any, bias: Any) -> Any:
        total: Any = 0.0
        d_hidden, d_kernel, d_bias = [], 0.0, 0.0
        for rows in _chunks(hidden):
            part, weight = hidden[rows], ops.cast(weights[rows], "float32")
            nll, probabilities = _chunk(part, kernel, bias, targets[rows])
            total = total + ops.sum(nll * weight)
            right = ops.one_hot(targets[rows], kernel.shape[0], dtype="float32")
            d_logits = (probabilities - right) * weight[:, None]
            d_bias = d_bias + ops.sum(d_logits, axis=0)
            d_logits = ops.cast(d_logits, hidden.dtype)
            d_hidden.append(ops.matmul(d_logits, ops.cast(kernel, hidden.dtype)))
            d_kernel = d_kernel + ops.cast(ops.matmul(ops.transpose(d_logits), part), "float32")

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            joined = ops.concatenate(d_hidden, 0) if len(d_hidden) > 1 else d_hidden[0]
            return (
                joined * ops.cast(scale, joined.dtype),
                ops.cast(d_kernel * scale, kernel.dtype),
                ops.cast(d_bias * scale, bias.dtype),
            )

        return total, backward

    return forward(hidden, ops.multiply(kernel, 1.0), ops.multiply(bias, 1.0))


def _chunk(hidden: Any, kernel: Any, bias: Any, targets: Any) -> tuple[Any, Any]:
    """Returns a chunk's negative log-likelihoods and probabilities, in float32."""
    logits = ops.cast(ops.matmul(hidden, ops.transpose(ops.cast(kernel, hidden.dtype))), "float32")
    logits = logits + ops.cast(bias, "float32")
    logits = logits - ops.max(logits, axis=-1, keepdims=True)
    powers = ops.exp(logits)
    sums = ops.sum(powers, axis=-1, keepdims=True)
    right = ops.take_along_axis(logits, ops.cast(targets, "int32")[:, None], axis=-1)[:, 0]
    return ops.log(sums[:, 0]) - right, powers / sums


def _chunks(hidden: Any) -> Iterator[slice]:
    """Yields slices of rows; all at once where their number is not known beforehand."""
    rows = hidden.shape[0]
    if rows is None or rows <= _CHUNK_ROWS:
        yield slice(None)
        return
    size = max(_CHUNK_ROWS, -(-rows // _MOST_CHUNKS))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))
