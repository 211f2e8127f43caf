"""The values of everything that training changes: weights, random states, carried states, optimizer, running means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from textseq.errors import RunDirectoryError, problem


def synced(model: keras.Model) -> keras.Model:
    """Returns the model with its variables up to date, which under JAX they are not in the middle of `fit`."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()
    return model


def variables(model: keras.Model) -> list[Any]:
    """Returns all variables but the running means, in an order that is the same each time the model is made."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def values(model: keras.Model) -> tuple[list[np.ndarray], int]:
    """Returns the values of all variables, and how many of them, at the end, are the running means of the epoch."""
    means = synced(model).metrics_variables
    return [_whole(variable.value) for variable in (*variables(model), *means)], len(means)


def _whole(value: Any) -> np.ndarray:
    """Returns a value in this process's memory, also where its rows lie in several processes: all take part then."""
    if getattr(value, "is_fully_addressable", True) or value.is_fully_replicated:
        return np.asarray(keras.ops.convert_to_numpy(value))
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(value, tiled=True))


def assign(model: keras.Model, arrays: Sequence[np.ndarray]) -> None:
    """Gives all variables but the running means their values back.

    Raises:
        RunDirectoryError: The values are those of another model.
    """
    into = variables(model)
    same = len(into) == len(arrays) and all(
        tuple(variable.shape) == array.shape and keras.backend.standardize_dtype(variable.dtype) == array.dtype.name
        for variable, array in zip(into, arrays, strict=True)
    )
    if not same:
        way_out = "Its config or an encoder's source has changed; begin anew with --overwrite"
        raise RunDirectoryError(problem("--resume", "the checkpoint is of another model", way_out=way_out))
    for variable, array in zip(into, arrays, strict=True):
        variable.assign(array)


def assign_means(model: keras.Model, arrays: Sequence[np.ndarray]) -> None:
    """Gives the running means of an epoch, of the loss and of what else is logged, their values back."""
    for variable, array in zip(model.metrics_variables, arrays, strict=True):
        variable.assign(array)


def is_finite(model: keras.Model) -> bool:
    """Whether every weight is a number; its sum tells."""
    sums = (np.sum(keras.ops.convert_to_numpy(weight.value), dtype=np.float64) for weight in model.trainable_variables)
    return bool(np.isfinite(list(sums)).all())
