"""Optimizers in one pass give the weights that Keras's own give, and touch only the rows that have a gradient."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("they are TensorFlow's", allow_module_level=True)

import tensorflow as tf

from textseq.layers.native.operations import refusal
from textseq.training import fused_optimizers

KINDS = [
    ("Adam", {}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {"weight_decay": 0.1}),
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
]


def weights_after(optimizer: Any, gradients: list[list[Any]]) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    variables = [keras.Variable(generator.normal(size=shape).astype("float32")) for shape in ((6, 3), (4,))]
    optimizer.build(variables)
    apply = tf.function(lambda *step: optimizer.apply(list(step), variables))
    for step in gradients:
        apply(*step)
    return [np.asarray(variable) for variable in variables]


def dense(steps: int = 5) -> list[list[Any]]:
    generator = np.random.default_rng(1)
    shapes = ((6, 3), (4,))
    return [[tf.constant(generator.normal(size=shape), tf.float32) for shape in shapes] for _ in range(steps)]


# 1 - 0.999 in float32 is off by 1.3e-5 of itself; Keras takes it in float64.
TOLERANCE = {"rtol": 2e-5, "atol": 2e-5}


@pytest.mark.parametrize("more", [{}, {"global_clipnorm": 0.5}, {"gradient_accumulation_steps": 2}], ids=str)
@pytest.mark.parametrize(("kind", "arguments"), KINDS, ids=str)
def test_weights_are_those_of_keras(kind: str, arguments: dict[str, Any], more: dict[str, Any]) -> None:
    ours = weights_after(getattr(fused_optimizers, kind)(0.1, **arguments, **more), dense(6))
    stock = weights_after(getattr(keras.optimizers, kind)(0.1, **arguments, **more), dense(6))
    for mine, theirs in zip(ours, stock, strict=True):
        np.testing.assert_allclose(mine, theirs, **TOLERANCE)


@pytest.mark.parametrize("kind", ["Adam", "SGD"])
def test_rows_of_an_embedding_count_once_in_the_norm(kind: str) -> None:
    rows = np.array([[3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], "float32")
    sparse = tf.IndexedSlices(tf.constant(rows), tf.constant([2, 5, 2]), tf.constant([6, 3]))
    whole = np.zeros((6, 3), "float32")
    whole[2, 0], whole[5, 1] = 4.0, 1.0  # 3 + 1 in row 2
    rest = tf.zeros((4,))
    ours = weights_after(getattr(fused_optimizers, kind)(0.1, global_clipnorm=0.5), [[sparse, rest]])
    stock = weights_after(getattr(keras.optimizers, kind)(0.1, global_clipnorm=0.5), [[tf.constant(whole), rest]])
    np.testing.assert_allclose(ours[0], stock[0], **TOLERANCE)


@pytest.mark.skipif(refusal() is not None, reason=f"nothing is compiled: {refusal()}")
@pytest.mark.parametrize("sizes", [[1], [3, 200_000], [5000, 0, 70_001, 64]], ids=str)
def test_a_compiled_norm_is_that_of_float64(sizes: list[int]) -> None:
    generator = np.random.default_rng(3)
    values = [generator.normal(size=size, scale=10.0**place).astype("float32") for place, size in enumerate(sizes)]
    optimizer = fused_optimizers.SGD(0.1, global_clipnorm=1.0)
    optimizer.native = True
    optimizer._clip_gradients([tf.constant(value) for value in values])
    norm = np.sqrt(sum(np.square(value.astype("float64")).sum() for value in values))
    assert float(optimizer._scale) == pytest.approx(1.0 / max(norm, 1.0), rel=1e-6)


@pytest.mark.skipif(refusal() is not None, reason=f"nothing is compiled: {refusal()}")
def test_a_compiled_norm_clips_and_shows_what_is_no_number() -> None:
    made = []
    for native in (False, True):
        optimizer = fused_optimizers.Adam(0.1, global_clipnorm=0.5)
        optimizer.native = native
        made.append(weights_after(optimizer, dense(6)))
    for plain, own in zip(*made, strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-5, atol=1e-6)
    optimizer = fused_optimizers.SGD(0.1, global_clipnorm=1.0)
    optimizer.native = True
    assert np.isnan(weights_after(optimizer, [[tf.fill((6, 3), float("nan")), tf.zeros((4,))]])[1]).all()


def test_sgd_writes_only_the_rows_that_have_a_gradient() -> None:
    # A row of infinite weight would become no number if it were so much as multiplied by 0 and written back.
    variables = [keras.Variable(np.full((4, 2), np.inf, "float32"))]
    variables[0].assign(np.array([[np.inf] * 2, [1.0, 1.0], [np.inf] * 2, [np.inf] * 2], "float32"))
    optimizer = fused_optimizers.SGD(1.0, global_clipnorm=100.0)
    optimizer.build(variables)
    gradient = tf.IndexedSlices(tf.constant([[0.5, 0.25]]), tf.constant([1]), tf.constant([4, 2]))

    @tf.function
    def step() -> None:
        optimizer.apply([gradient], variables)

    step()
    operations = {operation.type for operation in step.get_concrete_function().graph.get_operations()}
    functions = step.get_concrete_function().graph.as_graph_def().library.function
    operations |= {node.op for function in functions for node in function.node_def}
    assert "ResourceScatterSub" in operations
    assert not operations & {"ResourceApplyGradientDescent", "AssignSubVariableOp"}
    np.testing.assert_array_equal(np.asarray(variables[0])[1], [0.5, 0.75])


def test_a_gradient_that_is_no_number_shows() -> None:
    gradients = [[tf.fill((6, 3), float("nan")), tf.zeros((4,))]]
    ours = weights_after(fused_optimizers.SGD(0.1, global_clipnorm=1.0), gradients)
    assert np.isnan(ours[0]).all()
