"""Stock Keras: its own layers, written by its own `Model.export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from benchmark.contenders.saved_model import session_step
from benchmark.contenders.stock import make_classifier
from benchmark.specification import Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that asks the export once."""

    def save(folder: Path) -> None:
        with_probabilities(model).export(str(folder), verbose=False)

    return session_step(save, model)


def with_probabilities(model: Model) -> keras.Model:
    """Returns the classifier with a softmax at its end."""
    keras.utils.set_random_seed(0)
    logits = make_classifier(model)
    return keras.Model(logits.input, keras.layers.Softmax()(logits.output))
