"""One step of a compiled Keras model, as `fit` takes it: its train function on its own kind of iterator."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from benchmark.queued import Queued

Arguments = tuple[Any, ...]


def train_step(model: keras.Model, batches: list[Arguments]) -> Callable[[], None]:
    """Returns a function that trains on the next batch and waits for the end of it.

    Args:
        model: Compiled.
        batches: What `fit` takes as `(x, y)` or `(x, y, sample_weight)`; they come round again and again.
    """
    return _step_on_jax(model, batches) if keras.backend.backend() == "jax" else _step_on_tensorflow(model, batches)


def _step_on_tensorflow(model: keras.Model, batches: list[Arguments]) -> Callable[[], None]:
    import tensorflow as tf

    signature = keras.tree.map_structure(lambda *arrays: _specification(tf, arrays), *batches)
    dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature).cache().repeat()
    iterator = iter(dataset)
    for _ in batches:
        next(iterator)  # fills the cache
    model.fit(dataset, steps_per_epoch=1, epochs=1, verbose=0, shuffle=False)  # traces
    return lambda: model.train_function(iterator)


def _specification(tf: Any, arrays: tuple[np.ndarray, ...]) -> Any:
    """Returns one signature for all batches; an axis whose lengths differ is left open, as the toolkit does."""
    lengths = [{array.shape[axis] for array in arrays} for axis in range(arrays[0].ndim)]
    return tf.TensorSpec([found.pop() if len(found) == 1 else None for found in lengths], arrays[0].dtype)


def _step_on_jax(model: keras.Model, batches: list[Arguments]) -> Callable[[], None]:
    wait: Any = importlib.import_module("jax").block_until_ready
    model.fit(_endless(batches), steps_per_epoch=1, epochs=1, verbose=0, shuffle=False)
    kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    state = model._get_jax_state(**dict.fromkeys(kinds, True), purge_model_variables=True)
    iterator = _endless(batches)

    def ask() -> None:
        nonlocal state
        _, state = model.train_function(state, iterator)

    return Queued(ask, lambda: wait(state))


def _endless(batches: list[Arguments]) -> Iterator[Arguments]:
    yield from itertools.cycle(batches)
