"""The optimizer a config describes, by arithmetic on one weight or two."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.config import Component, TrainingConfig
from textseq.training.optimizers import averaged_weights, build_optimizer, current_learning_rate

SGD = Component("sgd")


def steps(training: TrainingConfig, gradients: list[list[float]], total: int = 10) -> tuple[Any, Any]:
    """Returns a model of two weights that began at 0, after so many gradients, and its optimizer."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    optimizer = build_optimizer(training, total)
    model.compile(optimizer)
    optimizer.build(model.trainable_variables)
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(np.array(gradient, "float32")[:, None])], model.trainable_variables)
    return model, optimizer


def weights(model: Any) -> list[float]:
    return ops.convert_to_numpy(model.trainable_variables[0])[:, 0].tolist()


def test_all_gradients_together_are_clipped_to_the_norm() -> None:
    model, _ = steps(TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=1.0), [[3.0, 4.0]])
    assert weights(model) == pytest.approx([-0.6, -0.8])  # 3, 4 has norm 5


def test_without_a_norm_nothing_is_clipped() -> None:
    model, _ = steps(TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=None), [[3.0, 4.0]])
    assert weights(model) == pytest.approx([-3.0, -4.0])


def test_accumulated_gradients_are_averaged() -> None:
    training = TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=None, accumulate=2)
    model, _ = steps(training, [[1.0, 0.0]])
    assert weights(model) == [0.0, 0.0]  # waits for the second
    model, _ = steps(training, [[1.0, 0.0], [3.0, 2.0]])
    assert weights(model) == pytest.approx([-2.0, -1.0])


def test_the_schedule_counts_batches_also_when_they_are_accumulated() -> None:
    linear = Component("linear")
    training = TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=None, accumulate=2, schedule=linear)
    _, optimizer = steps(training, [[0.0, 0.0]] * 5, total=10)
    assert current_learning_rate(optimizer) == pytest.approx(0.5)


def test_averaged_weights_stand_in_for_as_long_as_the_block_lasts() -> None:
    training = TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=None, ema=0.5)
    model, _ = steps(training, [[1.0, 0.0], [1.0, 0.0]])
    trained = weights(model)
    assert trained == pytest.approx([-2.0, 0.0])
    with averaged_weights(model):
        inside = weights(model)
    assert inside == pytest.approx([0.5 * -1.0 + 0.5 * -2.0, 0.0])  # it begins with the first step's weights
    assert weights(model) == trained


def test_without_averages_the_block_changes_nothing() -> None:
    model, _ = steps(TrainingConfig(optimizer=SGD, learning_rate=1.0, clip_norm=None), [[1.0, 1.0]])
    with averaged_weights(model):
        assert weights(model) == pytest.approx([-1.0, -1.0])


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
def test_each_optimizer_is_keras_own_with_its_arguments(name: str, kind: str) -> None:
    arguments = {"momentum": 0.9} if name == "sgd" else {"beta_2": 0.98}
    optimizer = build_optimizer(TrainingConfig(optimizer=Component(name, arguments)), 10)
    assert type(optimizer).__name__ == kind
    for argument, value in arguments.items():
        assert optimizer.get_config()[argument] == value
