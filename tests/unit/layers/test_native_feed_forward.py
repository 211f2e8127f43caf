"""By what is compiled for this processor a feed-forward layer's outputs and gradients are those of the textbook."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from both_backends import value_and_gradients
from keras import ops

from textseq.layers import feed_forward as feed_forward_module
from textseq.layers.dense import Dense
from textseq.layers.feed_forward import feed_forward, native_feed_forward
from textseq.layers.native.operations import refusal

pytestmark = pytest.mark.skipif(refusal() is not None, reason=f"nothing is compiled: {refusal()}")

# (rows, units, inner width): one of each; parts of vectors and tiles; more than a chunk of the inner width, and of what
# is summed over at once; rows in several parts, and in several pieces whose gradients are added up.
SHAPES = [(1, 1, 1), (5, 7, 9), (37, 20, 50), (150, 33, 300), (70, 8, 1100), (700, 17, 40)]


def arrays_of(rows: int, units: int, inner: int, gated: bool) -> list[np.ndarray]:
    """Returns inputs, both kernels, and gradients from above."""
    generator = np.random.default_rng(rows)
    shapes = ((rows, units), (units, inner * (2 if gated else 1)), (inner, units), (rows, units))
    return [
        generator.normal(size=shape, scale=shape[0] ** -0.5 if n in (1, 2) else 1.0).astype("float32")
        for n, shape in enumerate(shapes)
    ]


def textbook(inputs: Any, wide: Any, narrow: Any, above: Any, gated: bool) -> list[np.ndarray]:
    """Returns the outputs' sum with the gradients from above, and the gradients, in float64."""
    inputs, wide, narrow, above = (part.astype("float64") for part in (inputs, wide, narrow, above))
    sums = inputs @ wide
    d_active = above @ narrow.T
    if gated:
        gate, value = np.split(sums, 2, axis=1)
        part = 1.0 / (1.0 + np.exp(-gate))
        active = gate * part * value
        d_sums = np.concatenate([d_active * value * part * (1.0 + gate * (1.0 - part)), d_active * gate * part], 1)
    else:
        root = np.sqrt(2.0 / np.pi)
        turn = np.tanh(root * (sums + 0.044715 * sums**3))
        active = 0.5 * sums * (1.0 + turn)
        slope = 0.5 * (1.0 + turn) + 0.5 * sums * (1.0 - turn**2) * root * (1.0 + 3 * 0.044715 * sums**2)
        d_sums = d_active * slope
    total = (active @ narrow * above).sum()
    return [total, d_sums @ wide.T, inputs.T @ d_sums, active.T @ above]


def layers_of(units: int, inner: int, gated: bool) -> tuple[Dense, Dense]:
    wide, narrow = Dense(inner * (2 if gated else 1), use_bias=False), Dense(units, use_bias=False)
    wide.build((None, units))
    narrow.build((None, inner))
    wide.native_refusal = narrow.native_refusal = None
    return wide, narrow


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_the_textbook(shape: tuple[int, int, int], gated: bool) -> None:
    *parts, above = arrays_of(*shape, gated)

    def loss(inputs: Any, wide: Any, narrow: Any) -> Any:
        return ops.sum(native_feed_forward(inputs, wide, narrow, gated=gated) * above)

    made = value_and_gradients(loss, parts)
    expected = textbook(*parts, above, gated)
    assert min(np.abs(part).max() for part in expected) > 1e-3
    for right, own in zip(expected, made, strict=True):
        assert own.shape == np.shape(right)
        assert np.abs(own - right).max() <= 1e-5 * max(1.0, np.abs(right).max())


@pytest.mark.parametrize("gated", [False, True])
def test_large_sums_neither_overflow_nor_lose_their_slope(gated: bool) -> None:
    inputs, above = np.array([[-300.0], [-20.0], [0.0], [20.0], [300.0]], "float32"), np.ones((5, 1), "float32")
    kernels = [np.ones((1, 2 if gated else 1), "float32"), np.ones((1, 1), "float32")]

    def loss(inputs: Any) -> Any:
        return ops.sum(native_feed_forward(inputs, *map(ops.convert_to_tensor, kernels), gated=gated))

    total, d_inputs = value_and_gradients(loss, [inputs])
    with np.errstate(over="ignore"):
        expected = textbook(inputs, *kernels, above, gated)
    np.testing.assert_allclose(total, expected[0], rtol=1e-6)
    np.testing.assert_allclose(d_inputs, expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gated", [False, True])
def test_a_layer_is_the_same_by_either_way_and_training_takes_it_where_it_pays(gated: bool) -> None:
    keras.utils.set_random_seed(0)
    wide, narrow = layers_of(6, 10, gated)
    inputs = np.random.default_rng(0).normal(size=(2, 600, 6)).astype("float32")

    def made(inputs: np.ndarray, *, refused: str | None = None, training: bool = True) -> np.ndarray:
        wide.native_refusal = refused
        return np.asarray(feed_forward(inputs, wide, narrow, gated=gated, training=training))

    apart = made(inputs, refused="not wanted")
    np.testing.assert_array_equal(made(inputs, refused="not wanted", training=False), apart)
    np.testing.assert_array_equal(made(inputs, training=False), apart)
    assert not np.array_equal(made(inputs), apart)  # another way it was
    np.testing.assert_allclose(made(inputs), apart, atol=1e-6)


def test_it_pays_for_narrow_layers_of_many_rows() -> None:
    pays = feed_forward_module._pays
    asked = [(1024, 384), (None, 384), (1023, 384), (1024, 385), (None, 512)]
    assert [pays(shape) for shape in asked] == [True, True, False, False, False]


def test_without_rows_there_are_no_gradients() -> None:
    wide, narrow = layers_of(6, 10, False)
    parts = [np.zeros((0, 6), "float32"), np.asarray(wide.kernel), np.asarray(narrow.kernel)]

    def loss(inputs: Any, wide: Any, narrow: Any) -> Any:
        return ops.sum(native_feed_forward(inputs, wide, narrow, gated=False))

    total, _, d_wide, d_narrow = value_and_gradients(loss, parts)
    assert (total, np.abs(d_wide).max(), np.abs(d_narrow).max()) == (0.0, 0.0, 0.0)
