"""What the backend computes on."""

from __future__ import annotations

import functools
from pathlib import Path

import keras

_PROCESSORS = Path("/proc/cpuinfo")


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


@functools.cache
def has_tiles() -> bool:
    """Whether the processor multiplies bfloat16 in tiles of 16 rows and 32 columns, as Intel's with AMX do."""
    return _PROCESSORS.is_file() and "amx_bf16" in _PROCESSORS.read_text()
