"""A Transformer's feed-forward layer: a wide dense layer, an activation, and a narrow one.

In training its products and the activation are one operation where what is compiled for this processor multiplies the
dense layers: nothing of the inner width is written but what is activated, and that once. Not where the layer is wide or
rows are few: with 1,024 units it took 1.3 times as long as the products apart, with 512 1.05, with 256 0.9.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.dense import Dense
from textseq.layers.native import operations
from textseq.layers.one_pass import one_pass
from textseq.layers.variables import as_tensor

_MOST_UNITS = 384
_LEAST_ROWS = 1024


def feed_forward(inputs: Any, wide: Dense, narrow: Dense, *, gated: bool, training: bool | None) -> Any:
    """Returns narrow(activation(wide(inputs))), of the inputs' shape.

    Args:
        inputs: `(…, units)`
        wide: To the inner width, or to twice as much; without bias and activation.
        narrow: Back to the units; without bias and activation.
        gated: Whether the activation is SwiGLU, whose gates are the first half, and not GELU in its form with tanh.
        training: Whether this is a training step.
    """
    if training and wide.native_refusal is None and narrow.native_refusal is None:
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        if _pays(rows.shape):
            made = native_feed_forward(rows, wide.kernel, narrow.kernel, gated=gated)
            return ops.reshape(made, ops.shape(inputs))
    return narrow(one_pass(_swiglu if gated else _gelu, wide(inputs), training=training))


def _pays(shape: tuple[Any, ...]) -> bool:
    rows, units = shape
    return units <= _MOST_UNITS and (rows is None or rows >= _LEAST_ROWS)


def native_feed_forward(rows: Any, wide: Any, narrow: Any, *, gated: bool) -> Any:
    """Returns the same by one operation, `(rows, units)`; all of it is float32.

    Args:
        rows: `(rows, units)`
        wide: `(units, inner)`, or twice as many columns.
        narrow: `(inner, units)`
        gated: Whether the activation is SwiGLU, and not GELU.
    """

    @ops.custom_gradient
    def forward(rows: Any, wide: Any, narrow: Any) -> Any:
        parts = (rows, wide, narrow)
        shapes = [(tuple(part.shape), "float32") for part in parts]
        kept = ((rows.shape[0], wide.shape[1]), "float32")
        made, sums = operations.call("textseq_feed_forward", parts, [shapes[0], kept], "float32", gated=gated)

        def backward(*args: Any, upstream: Any = None) -> Any:
            tensors = (*parts, sums, args[0] if upstream is None else upstream)
            return operations.call("textseq_feed_forward_back", tensors, shapes, "float32", gated=gated)

        return made, backward

    return forward(rows, as_tensor(wide), as_tensor(narrow))


def _gelu(wide: Any) -> Any:
    return ops.gelu(wide, approximate=True)


def _swiglu(wide: Any) -> Any:
    gate, value = ops.split(wide, 2, axis=-1)
    return ops.silu(gate) * value
