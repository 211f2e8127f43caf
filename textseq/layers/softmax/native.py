"""A softmax's loss and all its gradients by what is compiled for this processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.layers.native import operations
from textseq.layers.upstream import scaled


def native_loss(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> Any:
    """Returns what `weighted_softmax_cross_entropy` does; hidden is float32 or bfloat16, all else float32."""
    return _loss("textseq_softmax", (hidden, kernel, bias), (targets, weights))


def native_adaptive_loss(
    hidden: Any,
    table: Any,
    bias: Any,
    clusters: tuple[Any, Any],
    cutoffs: Sequence[int],
    targets: Any,
    weights: Any,
) -> Any:
    """Returns the weighted sum of the losses of a softmax in levels over one table, which is read where it lies.

    Args:
        hidden: `(rows, features)`, float32, or bfloat16 to which products' factors are rounded; all else is float32.
        table: `(vocabulary, features)`
        bias: `(vocabulary,)`
        clusters: Kernel and bias of the clusters. `(clusters, features)`, `(clusters,)`
        cutoffs: The first id of each cluster, rising.
        targets: Token ids. `(rows,)`
        weights: Of each row. `(rows,)`
    """
    edges = ops.convert_to_tensor(np.array(cutoffs, "int32"))
    return _loss("textseq_adaptive_softmax", (hidden, table, bias, *clusters), (targets, weights), (edges,))


def _loss(name: str, parts: tuple[Any, ...], rows: tuple[Any, Any], more: tuple[Any, ...] = ()) -> Any:
    """Returns a loss of parts that have gradients; a custom gradient's are told apart by hand."""
    targets, weights = ops.cast(rows[0], "int32"), ops.cast(rows[1], "float32")

    @ops.custom_gradient
    def forward(*parts: Any) -> Any:
        tensors = (*parts[:3], targets, weights, *parts[3:], *more)
        operands = keras.backend.standardize_dtype(parts[0].dtype)
        types = (operands, *("float32",) * (len(parts) - 1))
        returned = [((), "float32"), *((tuple(part.shape), kind) for part, kind in zip(parts, types, strict=True))]
        total, *gradients = operations.call(name, tensors, returned, operands)

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            return tuple(scaled(gradient, scale) for gradient in gradients)

        return total, backward

    return forward(*parts)
