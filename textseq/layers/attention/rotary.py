"""Rotary positions: a vector is turned by an angle that grows with its place, so that products see distances only.

Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

_BASE = 10_000.0


def rotate(vectors: Any, positions: Any) -> Any:
    """Turns pairs of entries (the first half with the second) by position × frequency.

    Args:
        vectors: `(batch, time, heads, width)`, width even.
        positions: `(batch, time)` or `(1, time)`

    Returns:
        The turned vectors, in their own data type.
    """
    half = vectors.shape[-1] // 2
    frequencies = _BASE ** (-np.arange(half, dtype="float32") / half)
    angles = ops.cast(positions, "float32")[..., None, None] * frequencies  # (batch, time, 1, half)
    cos, sin = ops.cast(ops.cos(angles), vectors.dtype), ops.cast(ops.sin(angles), vectors.dtype)
    first, second = vectors[..., :half], vectors[..., half:]
    return ops.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
