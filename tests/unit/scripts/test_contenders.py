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


def weights(model: keras.Model, step: Callable[[], None]) -> list[np.ndarray]:
    """Returns copies of the trained weights, which under JAX are in the step's own state, out of the model."""
    if isinstance(step, Queued):
        return [np.array(weight) for weight in inspect.getclosurevars(step.ask).nonlocals["state"][0]]
    return [np.array(weight) for weight in model.trainable_weights]
