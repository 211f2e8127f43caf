"""Attention as one operation, whose scores are never in memory: what cuDNN has for JAX on a GPU, in 16 bits.

Source: Dao et al. 2022, https://arxiv.org/abs/2205.14135.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu


def can_fuse(dtype: str, time: int) -> bool:
    """Whether there is such an operation on this machine, with a gradient, for so many steps of a data type."""
    suits = dtype in ("bfloat16", "float16") and time % 2 == 0
    return suits and keras.backend.backend() == "jax" and has_gpu()


def fused_attention(queries: Any, keys: Any, values: Any, *, causal: bool) -> Any:
    """Returns the values' mixtures, `(batch, time, heads·width)`; where shapes do not suit cuDNN, by other means.

    Args:
        queries: `(batch, heads, time, width)`, scaled.
        keys: `(batch, kv_heads, time, width)`
        values: `(batch, kv_heads, time, width)`
        causal: Whether a step sees no later one.
    """
    turned = [ops.transpose(heads, (0, 2, 1, 3)) for heads in (queries, keys, values)]
    mixed = ops.dot_product_attention(*turned, scale=1.0, is_causal=causal)
    return ops.reshape(mixed, (*ops.shape(mixed)[:2], -1))
