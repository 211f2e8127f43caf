"""What is compiled into one pass gives what its operations give one by one, and stays out of exported graphs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers import one_pass as module
from textseq.layers.attention.heads import split_heads, suits, turned_heads
from textseq.layers.attention.rotary import angles, rotate
from textseq.layers.masked_softmax import softmax
from textseq.layers.normalization import RMSNormalization
from textseq.layers.one_pass import narrowed, one_pass
from textseq.registry import encoders

if keras.backend.backend() != "tensorflow":
    pytest.skip("JAX compiles the whole step", allow_module_level=True)


def _activated(inputs: Any) -> Any:
    return ops.gelu(inputs, approximate=True)


def _of_two(first: Any, second: Any, constant: Any) -> Any:
    return ops.tanh(first * second) + constant


def numbers(*shape: int) -> Any:
    return ops.convert_to_tensor(np.random.default_rng(len(shape)).normal(size=shape).astype("float32"))


def compiled(graph: Any) -> list[str]:
    """Returns the functions that a graph calls and XLA has to compile."""
    functions = [function.cached_definition for function in graph._functions.values()]
    return [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


def with_gradients(function: Any, *inputs: Any) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outcome = function(*inputs)
        total = tf.reduce_sum(tf.sin(tf.cast(outcome, tf.float32)))  # whose slopes differ from place to place
    return [ops.convert_to_numpy(ops.cast(part, "float32")) for part in (outcome, *tape.gradient(total, inputs))]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as large."""
    monkeypatch.setattr(module, "_LARGE", 1)


@pytest.mark.usefixtures("large")
def test_outcome_and_every_gradient_are_those_of_the_operations() -> None:
    def run(training: bool) -> list[np.ndarray]:
        return with_gradients(
            lambda *parts: one_pass(_of_two, *parts, constants=(np.float32(2),), training=training),
            numbers(3, 5),
            numbers(5),
        )

    for mine, right in zip(run(True), run(False), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-6)
        assert np.ptp(right) > 0.1


@pytest.mark.usefixtures("large")
def test_in_bfloat16_it_is_rounded_once() -> None:
    half = ops.cast(numbers(40, 50), "bfloat16")
    exact = with_gradients(_activated, ops.cast(half, "float32"))[0]
    found = one_pass(_activated, half, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_array_equal(found, ops.cast(exact, "bfloat16"))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("known", [True, False])
def test_rotation_and_its_gradient(known: bool) -> None:
    turns = angles(np.arange(7)[None] if known else ops.arange(7)[None], 6)

    def run(training: bool) -> list[np.ndarray]:
        return with_gradients(lambda part: rotate(part, turns, 0.3, training=training), numbers(2, 3, 7, 6))

    for mine, right in zip(run(True), run(False), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-6)


def test_rounding_to_bfloat16_is_everyones() -> None:
    patterns = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype="uint32")
    half_way = (patterns & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45], "float32")
    values = np.concatenate([patterns.view("float32"), half_way.view("float32"), special])
    values = np.append(values[~np.isnan(values)], [np.float32("nan"), -np.float32("nan")])  # of NaNs, what sums make
    found, right = (
        ops.convert_to_numpy(ops.cast(part, "float32"))
        for part in (narrowed(ops.convert_to_tensor(values), "bfloat16"), ops.cast(values, "bfloat16"))
    )
    assert np.isnan(found[-2:]).all()
    np.testing.assert_array_equal(found, right)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 1e-2)])
def test_softmax_and_its_gradient(hides: bool, dtype: str, tolerance: float) -> None:
    scores = ops.cast(numbers(2, 3, 5, 5), dtype)
    hidden = np.where(np.tril(np.ones((5, 5))) > 0, 0, -1e9).astype("float32") if hides else None
    found = with_gradients(lambda part: softmax(part, hidden, training=True), scores)
    wanted = with_gradients(lambda part: softmax(part, hidden, training=False), ops.cast(scores, "float32"))
    for mine, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, right, atol=tolerance)
        assert np.abs(right).max() > 3 * tolerance


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("training", [True, False])
def test_the_norm_is_kerass(training: bool) -> None:
    mine, right = RMSNormalization(), keras.layers.RMSNormalization(epsilon=1e-6)
    inputs = 3 * numbers(4, 6, 8)
    for layer in (mine, right):
        layer.build(inputs.shape)
        layer.scale.assign(np.linspace(0.5, 2, 8))
    found = with_gradients(lambda part, _: mine(part, training=training), inputs, mine.scale.value)
    wanted = with_gradients(lambda part, _: right(part), inputs, right.scale.value)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "training", "expected"),
    [((512, 256), True, True), ((512, 256), False, False), ((8, 8), True, False), ((None, 256), True, False)],
)
def test_only_large_tensors_of_known_shape_are_compiled_and_only_in_training(
    shape: tuple[Any, ...], training: bool, expected: bool
) -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def step(inputs: Any) -> Any:
        return one_pass(_activated, inputs, training=training)

    assert bool(compiled(step.get_concrete_function().graph)) is expected


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_a_transformer_trains_alike_and_serves_without_xla(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    encoder: Any = encoders.get("transformer")(16, causal=True, depth=1, heads=2, activation=activation)
    inputs = numbers(2, 9, 16)
    encoder(inputs)
    plain = with_gradients(lambda part: encoder(part, training=True), inputs)
    monkeypatch.setattr(module, "_LARGE", 1)
    for mine, right in zip(with_gradients(lambda part: encoder(part, training=True), inputs), plain, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-5)

    def step(part: Any, training: bool) -> Any:
        return encoder(part, training=training)

    assert compiled(tf.function(step).get_concrete_function(inputs, True).graph)
    assert not compiled(tf.function(step).get_concrete_function(inputs, False).graph)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_heads_cut_out_and_turned_in_one_pass_are_those_of_their_operations(kv_heads: int) -> None:
    width, steps = 6, 3
    projected, turns = numbers(2, steps, (4 + 2 * kv_heads) * width), angles(np.arange(steps)[None], width)
    assert suits(projected, True)
    assert not suits(projected, False)

    def apart(projected: Any) -> Any:
        queries, keys, values = split_heads(projected, 4, kv_heads)
        return ops.concatenate([rotate(queries, turns, width**-0.5), rotate(keys, turns), values], 1)

    def together(projected: Any) -> Any:
        return ops.concatenate(turned_heads(projected, 4, kv_heads, turns), 1)

    for mine, right in zip(with_gradients(together, projected), with_gradients(apart, projected), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-6)
        assert np.ptp(right) > 0.1
