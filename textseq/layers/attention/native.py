"""Attention by what is compiled for this processor, whose weights are in memory for some steps at a time only."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.attention.rotary import cos_and_sin
from textseq.layers.native import operations


def native_attention(projected: Any, heads: int, turns: Any, real: Any, *, causal: bool) -> Any:
    """Returns the values' mixtures, `(batch, time, heads·width)`; all of it is float32.

    Args:
        projected: Queries, keys and values, not turned. `(batch, time, (heads + 2·kv_heads)·width)`
        heads: Of the queries, which are also scaled by 1 over the root of their width.
        turns: What `angles` returns.
        real: True at real steps; None where all are. `(batch, time)`
        causal: Whether a step sees no later one.
    """
    mask = ops.ones((1, 1), "bool") if real is None else ops.cast(real, "bool")
    cos, sin = (ops.cast(part[:, 0], "float32") for part in cos_and_sin(turns))
    how = {"heads": heads, "causal": causal, "masked": real is not None}

    @ops.custom_gradient
    def forward(projected: Any) -> Any:
        parts = (projected, cos, sin, mask)
        batch, time, _ = projected.shape
        returned = [((batch, time, 2 * heads * cos.shape[2]), "float32"), ((batch, heads, time), "float32")]
        made = operations.call("textseq_attention", parts, returned, "float32", **how)

        def backward(*args: Any, upstream: Any = None) -> Any:
            above = args[0] if upstream is None else upstream
            returned, tensors = [(tuple(projected.shape), "float32")], (*parts, *made, above)
            return operations.call("textseq_attention_back", tensors, returned, "float32", **how)[0]

        return made[0], backward

    return forward(projected)
