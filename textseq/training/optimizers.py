"""The optimizer a config describes: Keras's own, with schedule, clipping, averaging and accumulation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from textseq.config import TrainingConfig
from textseq.training import fused_optimizers
from textseq.training.schedules import WarmupSchedule

_OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


def build_optimizer(training: TrainingConfig, total_steps: int, scale: float = 1.0) -> keras.optimizers.Optimizer:
    """Makes the optimizer.

    Args:
        training: Names the optimizer, its arguments and the schedule.
        total_steps: Batches of the whole training, which the schedule spreads over.
        scale: What the learning rate is multiplied by, after a training that diverged.
    """
    kinds = fused_optimizers if keras.backend.backend() == "tensorflow" else keras.optimizers
    return getattr(kinds, _OPTIMIZERS[training.optimizer.name])(
        learning_rate=_learning_rate(training, total_steps, training.learning_rate * scale),
        global_clipnorm=training.clip_norm,
        use_ema=training.ema is not None,
        ema_momentum=training.ema if training.ema is not None else 0.99,
        gradient_accumulation_steps=training.accumulate if training.accumulate > 1 else None,
        **training.optimizer.arguments,
    )


def _learning_rate(training: TrainingConfig, total_steps: int, highest: float) -> Any:
    schedule: Any = training.schedule
    warmup = schedule.arguments.get("warmup", 0)
    if schedule.name == "constant" and not warmup:
        return highest
    steps = int(warmup) if warmup >= 1 else round(warmup * total_steps)
    return WarmupSchedule(schedule.name, highest, total_steps, steps, schedule.arguments.get("final", 0.0))


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the learning rate of the step to come."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


@contextmanager
def weights_left_alone(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Keeps `fit` from putting averages in the place of the weights at its end, where another `fit` goes on."""
    optimizer.finalize_variable_values = lambda weights: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the moving averages of the weights in their place, for as long as the block lasts.

    Does nothing where the optimizer keeps no averages, or has not begun.
    """
    optimizer = model.optimizer
    averages = getattr(optimizer, "_model_variables_moving_average", None)
    if not (optimizer and optimizer.use_ema and averages):
        yield
        return
    variables = optimizer._trainable_variables
    trained = [keras.ops.copy(variable.value) for variable in variables]
    for variable, average in zip(variables, averages, strict=True):
        variable.assign(average.value)
    try:
        yield
    finally:
        for variable, value in zip(variables, trained, strict=True):
            variable.assign(value)
