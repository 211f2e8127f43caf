"""By compiled loops a recurrence is what it is by the backend's: outputs, states and gradients, padding anywhere."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from compiled_with import passed_with
from keras import ops

from textseq.layers.native.library import compiler
from textseq.layers.native.operations import refusal
from textseq.layers.recurrence import CELLS
from textseq.layers.recurrence.layer import RecurrentLayer

pytestmark = pytest.mark.skipif(refusal() is not None, reason=f"no compiled loops: {refusal()}")
TOLERANCE = 1e-5
FEATURES = 5

# Units of a part of a vector, of one, of several; rows of a part of what a product takes at once, and of several.
SHAPES = [(6, 4, 6), (3, 41, 37), (2, 20, 64), (1, 1, 1), (2, 70, 200)]  # (time, batch, units)
SHAPES = SHAPES if keras.backend.backend() == "tensorflow" else SHAPES[:1]  # the same loops, called otherwise


def layer_of(cell: str, units: int, **options: Any) -> RecurrentLayer:
    keras.utils.set_random_seed(1)
    layer = RecurrentLayer(cell, units, **options)
    layer.build((None, None, FEATURES))
    generator = np.random.default_rng(1)
    layer.set_weights([generator.normal(scale=0.3, size=weight.shape) for weight in layer.get_weights()])
    return layer


def arrays_of(cell: str, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Returns inputs and first states."""
    time, batch, units = shape
    generator = np.random.default_rng(2)
    states = [generator.normal(size=(batch, units)) for _ in range(CELLS[cell].states)]
    return [array.astype("float32") for array in (generator.normal(size=(time, batch, FEATURES)), *states)]


def mask_of(shape: tuple[int, int, int]) -> np.ndarray:
    return (np.random.default_rng(3).random((*shape[:2], 1)) < 0.7).astype("float32")


def both_ways(
    layer: RecurrentLayer, shape: tuple[int, int, int], masked: bool, gradients: Callable[..., list[np.ndarray]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns outputs, states and gradients by the backend's loops, and by the compiled ones."""
    arrays = arrays_of(layer.cell, shape)
    mask = ops.convert_to_tensor(mask_of(shape)) if masked else None
    factors = np.random.default_rng(4).normal(size=shape).astype("float32")

    def run(inputs: Any, *states: Any) -> Any:
        return layer(inputs, mask, list(states), training=True)

    def loss(inputs: Any, *states: Any) -> Any:
        outputs, final = run(inputs, *states)
        return ops.sum(outputs * factors) + sum(ops.sum(ops.sin(state)) for state in final)

    found = []
    for reason in ("the backend's are asked for", None):
        layer.native_refusal = reason
        seeds = layer.seed_generator.state
        drawn = ops.convert_to_numpy(seeds.value)
        outputs, final = run(*map(ops.convert_to_tensor, arrays))
        seeds.assign(drawn)  # the same dropout each time
        made = [ops.convert_to_numpy(tensor) for tensor in (outputs, *final)]
        found.append([*made, *gradients(loss, layer, arrays)])
        seeds.assign(drawn)
    return found[0], found[1]


def assert_close(first: list[np.ndarray], second: list[np.ndarray], tolerance: float) -> None:
    for expected, found in zip(first, second, strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_states_and_gradients_are_equal(
    cell: str, masked: bool, shape: tuple[int, int, int], gradients: Callable[..., list[np.ndarray]]
) -> None:
    layer = layer_of(cell, shape[2], reverse=masked)
    expected, found = both_ways(layer, shape, masked, gradients)
    states = CELLS[cell].states
    assert len(found) == 1 + states + 1 + states + 3  # outputs, last states; inputs, first states, three weights
    assert min(float(np.abs(gradient).max()) for gradient in found) > 1e-4
    assert_close(expected, found, TOLERANCE)


@pytest.mark.parametrize("option", ["recurrent_dropout", "weight_dropout"])
@pytest.mark.parametrize("cell", CELLS)
def test_dropout_falls_on_the_same_units(cell: str, option: str, gradients: Callable[..., list[np.ndarray]]) -> None:
    shape = (4, 6, 20)
    layer = layer_of(cell, shape[2], **{option: 0.5})
    expected, found = both_ways(layer, shape, True, gradients)
    assert_close(expected, found, TOLERANCE)
    without, _ = both_ways(layer_of(cell, shape[2]), shape, True, gradients)
    assert np.abs(without[0] - found[0]).max() > 1e-2


@pytest.mark.skipif(refusal("bfloat16") is not None, reason=f"no loops of 16 bits: {refusal('bfloat16')}")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_with_factors_of_16_bits_they_are_as_near_to_float32_as_the_backends(
    cell: str, shape: tuple[int, int, int], gradients: Callable[..., list[np.ndarray]]
) -> None:
    exact, _ = both_ways(layer_of(cell, shape[2]), shape, True, gradients)
    layer = layer_of(cell, shape[2], dtype=keras.DTypePolicy("mixed_bfloat16"))
    others, found = both_ways(layer, shape, True, gradients)
    for right, other, own in zip(exact, others, found, strict=True):
        scale, others_off, off = (float(np.sqrt(np.mean(x**2))) for x in (right, other - right, own - right))
        assert off <= 1.25 * others_off + 2**-9 * scale  # what one rounding may do to a number


@pytest.mark.parametrize("cell", CELLS)
def test_extreme_sums_saturate_and_a_nan_stays_one(cell: str) -> None:
    layer = layer_of(cell, 3)
    layer.native_refusal = None
    units, gates = 3, CELLS[cell].gates
    kernel = np.zeros((FEATURES, gates * units), "float32")
    kernel[0] = 1e30
    layer.set_weights([kernel, np.zeros((units, gates * units)), np.zeros(layer.bias.shape)])
    inputs = np.zeros((1, 3, FEATURES), "float32")
    inputs[0, 0, 0], inputs[0, 1, 0] = 1.0, -1.0
    outputs = ops.convert_to_numpy(layer(inputs, training=True)[0])[0]
    saturated = {"rnn": (1.0, -1.0), "gru": (0.0, -1.0), "lstm": (np.tanh(1.0), 0.0)}[cell]
    assert outputs[0] == pytest.approx([saturated[0]] * units, abs=1e-6)
    assert outputs[1] == pytest.approx([saturated[1]] * units, abs=1e-6)
    assert np.array_equal(outputs[2], np.zeros(units))
    inputs[0, 2, 2] = np.nan
    assert np.isnan(ops.convert_to_numpy(layer(inputs, training=True)[0])[0, 2]).all()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors have no such options")
@pytest.mark.skipif(not compiler(), reason="no compiler")
@pytest.mark.parametrize("option", ["-march=haswell", "-mno-amx-bf16"])  # narrower vectors; no tiles
def test_with_less_of_a_processor_they_are_right_too(option: str, tmp_path: Path) -> None:
    passed_with(option, [Path(__file__)], "outputs_states_and_gradients or dropout or extreme", tmp_path)


PROGRAM = """
import os, sys
os.sched_setaffinity(0, {int(core) for core in sys.argv[1].split(",")})
import hashlib, numpy as np, keras
from keras import ops
from textseq.layers.recurrence.layer import RecurrentLayer
from textseq.layers.softmax.native import native_loss
import tensorflow as tf
keras.utils.set_random_seed(0)
digest = hashlib.sha256()
for cell in ("rnn", "gru", "lstm"):
    layer = RecurrentLayer(cell, 200)
    layer.native_refusal = None
    inputs = tf.constant(np.random.default_rng(0).normal(size=(30, 20, 64)).astype("float32"))
    for _ in range(20):
        with tf.GradientTape() as tape:
            outputs, _ = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.sin(outputs))
        for gradient in tape.gradient(loss, layer.trainable_weights[1:2]):
            digest.update(gradient.numpy().tobytes())
        digest.update(outputs.numpy().tobytes())
generator = np.random.default_rng(0)
parts = [tf.constant(generator.normal(size=size).astype("float32")) for size in ((300, 90), (5000, 90), (5000,))]
targets = tf.constant(generator.integers(0, 5000, 300).astype("int32"))
for _ in range(5):
    with tf.GradientTape() as tape:
        tape.watch(parts)
        loss = native_loss(*parts, targets, tf.ones(300))
    for tensor in (loss, *tape.gradient(loss, parts)):
        digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the program is TensorFlow's")
def test_the_numbers_are_the_same_to_the_last_bit_by_any_number_of_threads(own_loops_of: Callable[..., str]) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("one core")
    assert own_loops_of(cores[:1]) == own_loops_of(cores)


@pytest.fixture
def own_loops_of() -> Callable[..., str]:
    """A function of cores: a digest of what a process makes that may use them."""

    def run(cores: list[int]) -> str:
        command = [sys.executable, "-c", PROGRAM, ",".join(map(str, cores))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run
