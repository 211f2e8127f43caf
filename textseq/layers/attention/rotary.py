"""Rotary positions: a vector is turned by an angle that grows with its place, so that products see distances only.

Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from textseq.layers.one_pass import one_pass

_BASE = 10_000.0


def angles(places: Any, width: int) -> Any:
    """Returns each place times each pair's frequency.

    Args:
        places: Steps from any one origin; may be negative. A NumPy array gives a NumPy array, which costs nothing at
            run time. `(…, time)`
        width: Of a head's vectors, even.

    Returns:
        `(…, 1, time, width / 2)`: the same for every head.
    """
    half = width // 2
    frequencies = (_BASE ** (-np.arange(half) / half)).astype("float32")
    if isinstance(places, np.ndarray):
        return places[..., None, :, None].astype("float32") * frequencies
    return ops.cast(places, "float32")[..., None, :, None] * frequencies


def rotate(vectors: Any, turns: Any, scale: float = 1.0, *, training: bool | None = None) -> Any:
    """Turns pairs of entries, the first half with the second.

    Args:
        vectors: `(batch, heads, time, width)`
        turns: What `angles` returned.
        scale: Multiplies the outcome.
        training: Whether this is a training step.

    Returns:
        The turned vectors, in their own data type.
    """
    cos, sin = (ops.cast(part * scale, vectors.dtype) for part in cos_and_sin(turns))
    return one_pass(turned, vectors, constants=(cos, sin), training=training)


def cos_and_sin(turns: Any) -> tuple[Any, Any]:
    """Returns the cosines and sines of angles, as NumPy arrays where those are."""
    library: Any = np if isinstance(turns, np.ndarray) else ops
    return library.cos(turns), library.sin(turns)


def turned(vectors: Any, cos: Any, sin: Any) -> Any:
    """Does the same with the cosines and sines of the angles; with sines turned round, its gradient."""
    first, second = ops.split(vectors, 2, axis=-1)
    return ops.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
