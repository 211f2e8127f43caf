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


def build_optimizer(training: TrainingConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Makes the optimizer.

    Args:
        training: Names the optimizer, its arguments and the schedule.
        total_steps: Batches of the whole training, which the schedule spreads over.
    """
    kinds = fused_optimizers if keras.backend.backend() == "tensorflow" else keras.optimizers
    rate = _learning_rate(training, total_steps)
    optimizer = getattr(kinds, _OPTIMIZERS[training.optimizer.name])(
        learning_rate=rate,
        global_clipnorm=training.clip_norm,
        use_ema=training.ema is not None,
        ema_momentum=training.ema if training.ema is not None else 0.99,
        gradient_accumulation_steps=training.accumulate if training.accumulate > 1 else None,
        **training.optimizer.arguments,
    )
    if isinstance(rate, WarmupSchedule):
        rate.scale = optimizer.add_variable(shape=(), initializer="ones", dtype="float32", name="rate_scale")
    return optimizer


def _learning_rate(training: TrainingConfig, total_steps: int) -> Any:
    schedule: Any = training.schedule
    warmup = schedule.arguments.get("warmup", 0)
    if schedule.name == "constant" and not warmup:
        return training.learning_rate
    steps = int(warmup) if warmup >= 1 else round(warmup * total_steps)
    final = schedule.arguments.get("final", 0.0)
    return WarmupSchedule(schedule.name, training.learning_rate, total_steps, steps, final)


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the learning rate of the step to come."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def scale_learning_rate(optimizer: keras.optimizers.Optimizer, factor: float) -> None:
    """Multiplies the learning rate of all steps to come; what is compiled stays so."""
    schedule = optimizer._learning_rate
    changed = schedule.scale if isinstance(schedule, WarmupSchedule) else schedule
    changed.assign(changed.value * factor)


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
