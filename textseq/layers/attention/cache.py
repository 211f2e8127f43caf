"""The keys and values that a causal attention keeps: a ring that a new step is written into, over the oldest one.

A ring is `(keys, values, written)`: keys and values `(batch, kv_heads, context, width)`, and how many real steps were
ever written `(batch,)`. Step n lies in slot n modulo the context. Nothing is moved when a step comes in, and places are
counted from the step to come, so they stay small and exact however long the text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

Ring = tuple[Any, Any, Any]


def places(written: Any, context: int) -> tuple[Any, Any]:
    """Returns each slot's place, -1 for the newest step, and whether anything was written there. `(batch, context)`."""
    behind = ops.mod(written[:, None] - 1 - np.arange(context, dtype="int32"), context)  # steps before the newest
    return -1 - behind, behind < written[:, None]


def write(ring: Ring, keys: Any, values: Any, real: Any) -> Ring:
    """Returns the ring after a call's steps.

    Args:
        ring: Before the call.
        keys: `(batch, kv_heads, time, width)`
        values: Likewise.
        real: True at the steps that count; None where all do. `(batch, time)`
    """
    if keys.shape[2] == 1:
        return _write_one(ring, keys, values, real)
    old_keys, old_values, written = ring
    context, time = old_keys.shape[2], ops.shape(keys)[2]
    count = ops.full_like(written, time) if real is None else ops.sum(ops.cast(real, "int32"), axis=1)
    last = count[:, None] - 1  # the rank of the last real step of this call
    slots = np.arange(context, dtype="int32")
    rank = last - ops.mod(last + written[:, None] - slots, context)  # of the step that lands in a slot; below 0: none
    place = ops.maximum(rank, 0) if real is None else _step_of_rank(real, ops.maximum(rank, 0))
    lands = (rank >= 0)[:, None, :, None]

    def taken(new: Any, old: Any) -> Any:
        chosen = ops.take_along_axis(ops.cast(new, old.dtype), place[:, None, :, None], axis=2)
        return ops.where(lands, chosen, old)

    return taken(keys, old_keys), taken(values, old_values), written + count


def _write_one(ring: Ring, keys: Any, values: Any, real: Any) -> Ring:
    """Writes one step where it belongs, and touches nothing else."""
    old_keys, old_values, written = ring
    batch, heads, context = ops.shape(keys)[0], keys.shape[1], old_keys.shape[2]
    slot = ops.mod(written, context)  # (batch,)
    rows = ops.repeat(ops.arange(batch, dtype="int32"), heads)
    of_head = ops.tile(np.arange(heads, dtype="int32"), (batch,))
    indices = ops.stack([rows, of_head, ops.repeat(slot, heads)], -1)  # (batch·kv_heads, 3)

    def put(new: Any, old: Any) -> Any:
        update = ops.cast(new[:, :, 0], old.dtype)  # (batch, kv_heads, width)
        if real is not None:
            before = ops.take_along_axis(old, slot[:, None, None, None], axis=2)[:, :, 0]
            update = ops.where(real[:, :, None], update, before)
        return ops.scatter_update(old, indices, ops.reshape(update, (-1, old.shape[-1])))

    count = 1 if real is None else ops.cast(real[:, 0], "int32")
    return put(keys, old_keys), put(values, old_values), written + count


def _step_of_rank(real: Any, rank: Any) -> Any:
    """Returns which step the rank-th real one is. `(batch, context)`."""
    time = ops.shape(real)[1]
    steps = ops.arange(time, dtype="int32")[None]
    order = ops.argsort(ops.where(real, steps, steps + time), axis=1)  # real steps first, in their order
    return ops.take_along_axis(ops.cast(order, "int32"), ops.minimum(rank, time - 1), axis=1)
