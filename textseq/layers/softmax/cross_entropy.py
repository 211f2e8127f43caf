"""Softmax cross-entropy over large vocabularies, in chunks: the array of all tokens' logits never exists.

Each chunk's logits are made once. In training its gradients are made with it, for a gradient from above of 1, and
scaled afterwards: three large products a chunk, where making the logits anew in the backward pass takes four. Powers
stay undivided by their sums: what multiplies a row is put on the small side of the products.
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
    factors, places = ops.cast(kernel, hidden.dtype), ops.cast(targets, "int32")
    for rows in _chunks(hidden):
        nll, *_ = _chunk(hidden[rows], factors, bias, places[rows])
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
        factors = ops.cast(kernel, hidden.dtype)
        weight = ops.cast(weights, "float32")
        places = ops.cast(targets, "int32")
        d_hidden, d_kernel, d_bias = [], 0.0, 0.0
        for rows in _chunks(hidden):
            nll, powers, sums = _chunk(hidden[rows], factors, bias, places[rows])
            total = total + ops.sum(nll * weight[rows])
            scale = (weight[rows] / sums)[:, None]
            factor = ops.cast(powers, hidden.dtype)
            d_hidden.append(ops.cast(ops.matmul(factor, factors), "float32") * scale)
            scaled = ops.cast(ops.cast(hidden[rows], "float32") * scale, hidden.dtype)
            d_kernel = d_kernel + ops.cast(ops.matmul(ops.transpose(factor), scaled), "float32")
            d_bias = d_bias + ops.matmul(ops.transpose(scale), powers)[0]
        # The right tokens' share of the gradients, by rows: an array of ones and zeros is never made.
        d_hidden = ops.concatenate(d_hidden, 0) if len(d_hidden) > 1 else d_hidden[0]
        d_hidden = d_hidden - weight[:, None] * ops.cast(ops.take(kernel, places, axis=0), "float32")
        minus = -weight[:, None] * ops.cast(hidden, "float32")
        d_kernel = ops.scatter_update(d_kernel, places[:, None], minus, reduction="add")
        d_bias = ops.scatter_update(d_bias, places[:, None], -weight, reduction="add")

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            return (
                ops.cast(d_hidden * scale, hidden.dtype),
                ops.cast(d_kernel * scale, kernel.dtype),
                ops.cast(d_bias * scale, bias.dtype),
            )

        return total, backward

    return forward(hidden, ops.multiply(kernel, 1.0), ops.multiply(bias, 1.0))


def _chunk(hidden: Any, kernel: Any, bias: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Returns a chunk's negative log-likelihoods, and its probabilities as powers and their sums, in float32."""
    logits = ops.cast(ops.matmul(hidden, ops.transpose(kernel)), "float32") + ops.cast(bias, "float32")
    right = ops.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    highest = ops.max(logits, axis=-1, keepdims=True, initial=-1e30)  # a cluster may have no rows
    powers = ops.exp(logits - highest)
    sums = ops.sum(powers, axis=-1)
    return ops.log(sums) + highest[:, 0] - right, powers, sums


def _chunks(hidden: Any) -> Iterator[slice]:
    """Yields slices of rows; all at once where their number is not known beforehand."""
    rows = hidden.shape[0]
    if rows is None or rows <= _CHUNK_ROWS:
        yield slice(None)
        return
    size = max(_CHUNK_ROWS, -(-rows // _MOST_CHUNKS))
    for begin in range(0, rows, size):
        yield slice(begin, min(begin + size, rows))
