"""Normalisation compiled for this processor is the backend's: outputs, and the gradients of inputs and scale."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from both_backends import value_and_gradients
from keras import ops

from textseq.layers.native.operations import wide_refusal
from textseq.layers.normalization import RMSNormalization, add_and_normalize

pytestmark = pytest.mark.skipif(wide_refusal() is not None, reason=f"nothing is compiled: {wide_refusal()}")


def made(layer: RMSNormalization, shape: tuple[int, ...], spread: float) -> list[np.ndarray]:
    """Returns outputs, and gradients of a score of them."""
    generator = np.random.default_rng(0)
    inputs, factors = (generator.normal(size=shape).astype("float32") for _ in range(2))
    inputs *= spread
    (scale,) = layer.get_weights()

    def outputs(inputs: Any, scale: Any) -> Any:
        return layer.stateless_call([scale], [], inputs, training=True)[0]

    def score(inputs: Any, scale: Any) -> Any:
        return ops.sum(outputs(inputs, scale) * factors)

    found = ops.convert_to_numpy(outputs(*map(ops.convert_to_tensor, (inputs, scale))))
    return [found, *value_and_gradients(score, [inputs, scale])[1:]]


@pytest.mark.parametrize("spread", [1e-4, 1.0, 1e6])  # less than what is added under the root, and much more
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 20), (7, 64), (40, 90, 37)])
def test_outputs_and_gradients_are_the_backends(shape: tuple[int, ...], spread: float) -> None:
    layer = RMSNormalization()
    layer.build(shape)
    layer.set_weights([np.random.default_rng(1).normal(size=shape[-1:])])
    assert layer.native_refusal == "training did not ask for it"
    plain = made(layer, shape, spread)
    layer.native_refusal = None
    for own, right in zip(made(layer, shape, spread), plain, strict=True):
        assert own.shape == right.shape
        assert np.abs(own - right).max() <= 1e-5 * max(1.0, np.abs(right).max())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 20), (40, 90, 37)])
def test_what_is_added_before_gets_the_backends_gradients(shape: tuple[int, ...]) -> None:
    layer = RMSNormalization()
    layer.build(shape)
    generator = np.random.default_rng(2)
    inputs, added, *factors = (generator.normal(size=shape).astype("float32") for _ in range(4))
    scale = generator.normal(size=shape[-1:]).astype("float32")

    def made(inputs: Any, added: Any, scale: Any) -> Any:
        with keras.StatelessScope(state_mapping=[(layer.scale, scale)]):
            return add_and_normalize(layer, inputs, added, training=True)

    def score(inputs: Any, added: Any, scale: Any) -> Any:
        return sum(ops.sum(part * factor) for part, factor in zip(made(inputs, added, scale), factors, strict=True))

    found = {}
    for refusal in ("training did not ask for it", None):
        layer.native_refusal = refusal
        outputs = made(*map(ops.convert_to_tensor, (inputs, added, scale)))
        found[refusal] = [*map(ops.convert_to_numpy, outputs), *value_and_gradients(score, [inputs, added, scale])[1:]]
    right, own = found.values()
    for mine, plain in zip(own, right, strict=True):
        assert mine.shape == plain.shape
        assert np.abs(mine - plain).max() <= 1e-5 * max(1.0, np.abs(plain).max())


def test_outside_training_it_is_the_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise AssertionError

    layer = RMSNormalization()
    layer.native_refusal = None
    monkeypatch.setattr("textseq.layers.normalization._natively", fail)
    inputs = np.ones((2, 4), "float32")
    assert layer(inputs, training=False).shape == (2, 4)
    with pytest.raises(AssertionError):
        layer(inputs, training=True)
