"""How the backend uses the processor in training; settled before it starts, which is when its first tensor is made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textseq.config import RunConfig

_VECTORS = "xla_cpu_prefer_vector_width"
_THREADS = "TF_NUM_INTRAOP_THREADS"


def use_wide_vectors() -> None:
    """Has XLA use vectors of 512 bits where the processor has them; for what it has not yet compiled in this process.

    Its own choice is 256. On two cores with AVX-512 a Transformer's step took 4 to 7 % less on TensorFlow and 3 % on
    JAX, where a large softmax's took 3 % less too, and others' up to 1 %. What the user has set is left as it is.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _VECTORS not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_VECTORS}=512".strip()


def share_cores(config: RunConfig, *, causal: bool) -> bool:
    """Gives each of two directions a core, where they are a recurrence's and there are two cores.

    Both loops run side by side. Where each small product is also cut in two, they wait for each other at every step: a
    bidirectional LSTM of 256 units a direction took 1.18 times as long; other cells were not measured. Left as it is
    where the user has set the number of threads, or TensorFlow has started.

    Args:
        config: Says which encoder.
        causal: What the task asks of an encoder whose config does not say.

    Returns:
        Whether it was done.
    """
    import keras

    from textseq.encoder import StackedEncoder
    from textseq.registry import encoders

    if keras.backend.backend() != "tensorflow" or os.environ.get(_THREADS) or _cores() != 2:
        return False
    one_way = config.encoder.arguments.get("causal", causal)
    if one_way or not issubclass(encoders.get(config.encoder.name), StackedEncoder):
        return False
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:  # it has started
        return False
    return True


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
