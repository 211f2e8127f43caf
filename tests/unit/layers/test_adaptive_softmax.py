"""The adaptive softmax is a distribution, and its loss is that distribution's, whichever way it is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.errors import UsageError
from textseq.layers.softmax import AdaptiveSoftmax, FullSoftmax

VOCABULARY, FEATURES, CUTOFFS = 60, 8, (10, 25)


def head(tied: bool) -> tuple[Any, Any]:
    """Returns an adaptive softmax with random weights, and the table that a tied one is handed."""
    generator = np.random.default_rng(0)
    layer = AdaptiveSoftmax(VOCABULARY, None if tied else FEATURES, cutoffs=CUTOFFS, reduction=2.0)
    if tied:
        layer.tie(FEATURES)
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape))
    table = ops.convert_to_tensor(generator.normal(size=(VOCABULARY, FEATURES)).astype("float32")) if tied else None
    return layer, table


def rows(count: int = 400) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(1)
    hidden = generator.normal(size=(count, FEATURES)).astype("float32")
    targets = generator.integers(0, VOCABULARY, count).astype("int32")
    weights = generator.random(count).astype("float32")
    return ops.convert_to_tensor(hidden), ops.convert_to_tensor(targets), ops.convert_to_tensor(weights)


def plainly(layer: Any, table: Any, hidden: Any, targets: Any, weights: Any) -> Any:
    chosen = ops.take_along_axis(layer.log_probabilities(hidden, table), targets[:, None], axis=-1)[:, 0]
    return -ops.sum(chosen * weights)


def gradients(loss: Any, layer: Any, hidden: Any, table: Any) -> list[np.ndarray]:
    sources = [hidden] if table is None else [hidden, table]
    if keras.backend.backend() == "jax":
        import jax

        def stateless(sources: list[Any], values: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(layer.trainable_variables, values, strict=True))):
                return loss(*sources)

        values = [variable.value for variable in layer.trainable_variables]
        found = [part for parts in jax.grad(stateless, argnums=(0, 1))(sources, values) for part in parts]
    else:
        import tensorflow as tf

        variables = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            total = loss(*sources)
        found = [tf.convert_to_tensor(part) for part in tape.gradient(total, [*sources, *variables])]
    return [np.asarray(ops.convert_to_numpy(part)) for part in found]


@pytest.mark.parametrize("tied", [True, False])
def test_probabilities_sum_to_1(tied: bool) -> None:
    layer, table = head(tied)
    probabilities = np.exp(ops.convert_to_numpy(layer.log_probabilities(rows(50)[0], table)))
    assert probabilities.shape == (50, VOCABULARY)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_a_tokens_probability_is_its_clusters_times_its_own(tied: bool) -> None:
    layer, table = head(tied)
    hidden = rows(3)[0]
    first, last = (
        np.exp(ops.convert_to_numpy(layer.log_probabilities(hidden, table)))[:, part]
        for part in (slice(10), slice(25, 60))
    )
    kernel, bias, _ = layer._levels(table)
    logits = ops.convert_to_numpy(hidden) @ ops.convert_to_numpy(kernel).T + ops.convert_to_numpy(bias)
    wanted = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)  # ten tokens, then two clusters
    np.testing.assert_allclose(first, wanted[:, :10], rtol=1e-4)
    np.testing.assert_allclose(last.sum(1), wanted[:, 11], rtol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_each_targets_loss_is_that_of_its_probability(tied: bool) -> None:
    layer, table = head(tied)
    hidden, targets, _ = rows()
    log_probabilities = ops.convert_to_numpy(layer.log_probabilities(hidden, table))
    wanted = -log_probabilities[np.arange(400), ops.convert_to_numpy(targets)]
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer.losses_of(hidden, targets, table)), wanted, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("tied", [True, False])
def test_loss_and_gradients_are_those_of_the_probabilities(tied: bool) -> None:
    layer, table = head(tied)
    hidden, targets, weights = rows()

    def quick(hidden: Any, table: Any = None) -> Any:
        return layer.weighted_loss(hidden, targets, weights, table)

    def slow(hidden: Any, table: Any = None) -> Any:
        return plainly(layer, table, hidden, targets, weights)

    arguments = (hidden,) if table is None else (hidden, table)
    assert float(quick(*arguments)) == pytest.approx(float(slow(*arguments)), rel=1e-5)
    pairs = list(zip(gradients(quick, layer, hidden, table), gradients(slow, layer, hidden, table), strict=True))
    assert len(pairs) == len(layer.trainable_variables) + len(arguments)
    for mine, wanted in pairs:
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=2e-5 * np.abs(wanted).max())


def test_a_cluster_without_rows_costs_nothing_and_breaks_nothing() -> None:
    layer, table = head(True)
    hidden, _, weights = rows(20)
    targets = ops.convert_to_tensor(np.full(20, 3, "int32"))
    found = float(layer.weighted_loss(hidden, targets, weights, table))
    assert found == pytest.approx(float(plainly(layer, table, hidden, targets, weights)), rel=1e-5)
    each = ops.convert_to_numpy(layer.losses_of(hidden, targets, table))
    assert float((each * ops.convert_to_numpy(weights)).sum()) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("cutoffs", [(), (0, 5), (10, 10), (20, 10), (10, 60), (70,)])
def test_cutoffs_that_make_no_clusters_are_refused(cutoffs: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"task\.cutoffs: must rise"):
        AdaptiveSoftmax(VOCABULARY, FEATURES, cutoffs=cutoffs)


def test_the_full_softmax_is_a_distribution_too() -> None:
    layer = FullSoftmax(VOCABULARY, FEATURES)
    hidden, targets, weights = rows(30)
    log_probabilities = ops.convert_to_numpy(layer.log_probabilities(hidden))
    np.testing.assert_allclose(np.exp(log_probabilities).sum(1), 1.0, rtol=1e-5)
    wanted = -log_probabilities[np.arange(30), ops.convert_to_numpy(targets)]
    np.testing.assert_allclose(ops.convert_to_numpy(layer.losses_of(hidden, targets)), wanted, rtol=1e-4, atol=1e-5)
    assert float(layer.weighted_loss(hidden, targets, weights)) == pytest.approx(
        float((wanted * ops.convert_to_numpy(weights)).sum()), rel=1e-5
    )
