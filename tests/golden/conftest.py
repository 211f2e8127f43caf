"""What the golden tests share: an encoder's weights by name, and inputs to put through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from textseq.registry import encoders

UNITS, FEATURES, TIME = 4, 3, 6


class Golden:
    """An encoder, causal, with weights that are all of some size, and the numbers to state it again in NumPy.

    Attributes:
        inputs: Of one row. `(time, features)`
        outputs: What the encoder makes of them. `(time, units)`
        weights: By their last name, such as "update_kernel", in double precision.
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        keras.utils.set_random_seed(0)
        generator = np.random.default_rng(1)
        encoder = encoders.get(name)(UNITS, **{"causal": True, **arguments})
        rows = generator.normal(size=(1, TIME, FEATURES)).astype("float32")
        encoder(rows)
        encoder.set_weights([0.7 * generator.normal(size=weight.shape) for weight in encoder.weights])
        self.encoder, self.inputs = encoder, rows[0].astype("float64")
        self.outputs = keras.ops.convert_to_numpy(encoder(rows))[0]
        self.weights = {weight.name: np.asarray(weight, "float64") for weight in encoder.trainable_variables}


@pytest.fixture
def golden() -> Callable[..., Golden]:
    return Golden
