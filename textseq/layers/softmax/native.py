"""A softmax's loss and all its gradients by what is compiled for this processor."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.native import operations
from textseq.layers.upstream import scaled


def native_loss(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> Any:
    """Returns what `weighted_softmax_cross_entropy` does; all of it is float32."""

    @ops.custom_gradient
    def forward(hidden: Any, kernel: Any, bias: Any) -> Any:
        parts = (hidden, kernel, bias)
        tensors = (*parts, ops.cast(targets, "int32"), ops.cast(weights, "float32"))
        returned = [((), "float32"), *((tuple(part.shape), "float32") for part in parts)]
        total, *gradients = operations.call("textseq_softmax", tensors, returned, "float32")

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            return tuple(scaled(gradient, scale) for gradient in gradients)

        return total, backward

    return forward(hidden, kernel, bias)
