"""The CNN encoder against the equations of its papers, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

ERF = np.vectorize(math.erf)


def convolved(x: np.ndarray, layer: Any, places: list[int]) -> np.ndarray:
    """Returns Σ_j x[t + places[j]] · kernel[j] + bias for each t; there are zeros outside."""
    kernel, bias = (np.asarray(part, "float64") for part in layer.get_weights())
    rows = []
    for t in range(len(x)):
        seen = [x[t + place] if 0 <= t + place < len(x) else np.zeros(x.shape[1]) for place in places]
        rows.append(sum(one @ weights for one, weights in zip(seen, kernel, strict=True)) + bias)
    return np.stack(rows)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("gelu", lambda x: x * (1 + ERF(x / np.sqrt(2))) / 2),
        ("relu", lambda x: np.maximum(x, 0)),
        ("tanh", np.tanh),
    ],
)
def test_kims_layer_joins_what_each_width_sees(activation: str, function: Any, golden: Callable[..., Any]) -> None:
    found = golden("cnn", causal=False, activation=activation)
    (layer,) = found.encoder.layers
    around = {3: [-1, 0, 1], 4: [-1, 0, 1, 2], 5: [-2, -1, 0, 1, 2]}
    parts = [convolved(found.inputs, one, around[one.width]) for one in layer.convolutions]
    assert [part.shape[1] for part in parts] == [2, 1, 1]
    np.testing.assert_allclose(found.outputs, function(np.concatenate(parts, 1)), atol=1e-6)


def test_causal_layers_are_gated_and_see_twice_as_far_apart_from_one_to_the_next(golden: Callable[..., Any]) -> None:
    found = golden("cnn", depth=3)
    x = found.inputs @ np.asarray(found.encoder.entry.kernel, "float64")
    for number, layer in enumerate(found.encoder.layers):
        places = [-2 * 2**number, -(2**number), 0]
        values, gates = (convolved(x, one, places) for one in (layer.convolution, layer.gate))
        x = x + values / (1 + np.exp(-gates))
    np.testing.assert_allclose(found.outputs, x, atol=1e-5)
