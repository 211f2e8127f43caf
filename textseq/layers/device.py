"""What the backend computes on."""

from __future__ import annotations

import keras


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
