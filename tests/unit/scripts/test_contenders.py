"""A contender's step is a training step: weights change by it. Nothing is timed."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from benchmark.contenders.keras_step import train_step
from benchmark.queued import Queued
from benchmark.specification import Contender, Model

MODELS = {
    "language_modeling": Model("language_modeling", "lstm", 8, depth=2, vocabulary=60, batch=4, time=6),
    "classification": Model("classification", "lstm", 8, depth=1, vocabulary=60, batch=4),
}


@pytest.mark.parametrize("task", MODELS)
@pytest.mark.parametrize("library", ["ours", "stock"])
def test_a_step_trains(library: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def noted(model: keras.Model, batches: list[Any]) -> Callable[[], None]:
        made.append(model)
        return train_step(model, batches)

    contenders = importlib.import_module(f"benchmark.contenders.{library}")
    monkeypatch.setattr(contenders, "train_step", noted)
    contender = Contender("it", library, backend=keras.backend.backend())
    np.save(tmp_path / "lengths.npy", [3, 5, 4, 7, 5, 2, 6, 3])
    sized = replace(MODELS[task], lengths=str(tmp_path / "lengths.npy") if task == "classification" else None)
    step = contenders.make_step(contender, sized, 2)
    (model,) = made
    before = weights(model, step)
    step()
    assert all((now != was).any() for now, was in zip(weights(model, step), before, strict=True))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the products are those on TensorFlow")
@pytest.mark.parametrize("small", [False, True])  # loops that XLA compiles multiply in other forms
@pytest.mark.parametrize("encoder", ["lstm", "gru", "rnn", "transformer"])
def test_the_floor_has_all_products_of_a_step_and_no_others(
    encoder: str, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    monkeypatch.setattr("textseq.layers.recurrence.loops._SMALL_STATES", range(100 if small else 0))

    operations: list[int] = []
    multiply = tf.matmul

    def counted(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, **more: Any) -> Any:
        outcome = multiply(a, b, transpose_a=transpose_a, transpose_b=transpose_b, **more)
        operations.append(2 * a.shape[-2 if transpose_a else -1] * int(np.prod(outcome.shape)))
        return outcome

    monkeypatch.setattr(tf, "matmul", counted)
    model = replace(MODELS["language_modeling"], encoder=encoder, embedding=None if encoder == "transformer" else 12)
    make = importlib.import_module("benchmark.contenders.products").make_step
    tf.config.run_functions_eagerly(True)
    try:
        make(Contender("it", "products"), model, 1)()
    finally:
        tf.config.run_functions_eagerly(False)
    assert model.gigaflops is not None
    assert sum(operations) == pytest.approx(1e9 * model.gigaflops)


def weights(model: keras.Model, step: Callable[[], None]) -> list[np.ndarray]:
    """Returns copies of the trained weights, which under JAX are in the step's own state, out of the model."""
    if isinstance(step, Queued):
        return [np.array(weight) for weight in inspect.getclosurevars(step.ask).nonlocals["state"][0]]
    return [np.array(weight) for weight in model.trainable_weights]
