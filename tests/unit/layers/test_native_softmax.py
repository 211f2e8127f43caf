"""By what is compiled for this processor a softmax's loss and gradients are those of the textbook."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from both_backends import value_and_gradients
from keras import ops

from textseq.layers.native import operations
from textseq.layers.native.operations import softmax_refusal
from textseq.layers.native.operations import wide_refusal as refusal
from textseq.layers.softmax import AdaptiveSoftmax, FullSoftmax, weighted_softmax_cross_entropy
from textseq.layers.softmax.native import native_adaptive_loss

pytestmark = pytest.mark.skipif(refusal() is not None, reason=f"nothing is compiled: {refusal()}")

# (rows, features, vocabulary): one of each; parts of vectors; more rows than tokens; more features than a block has;
# several pieces of either factor; of few rows, the most and one more; several pieces of tokens; rows in two chunks.
SHAPES = [(1, 1, 1), (37, 5, 50), (130, 20, 33), (19, 1600, 70), (90, 100, 777), (256, 30, 300), (257, 30, 300)]
SHAPES += [(60, 20, 2600), (2100, 3, 16500)]


def arrays_of(rows: int, features: int, vocabulary: int) -> list[np.ndarray]:
    """Returns hidden, kernel, bias, targets and weights, some of which are 0."""
    generator = np.random.default_rng(rows)
    shapes = ((rows, features), (vocabulary, features), (vocabulary,))
    numbers = [generator.normal(size=shape, scale=0.5).astype("float32") for shape in shapes]
    targets = generator.integers(0, vocabulary, rows).astype("int32")
    targets[-1] = vocabulary - 1
    weights = (generator.random(rows) < 0.8) * generator.random(rows) + (np.arange(rows) == 0)
    return [*numbers, targets, weights.astype("float32")]


def textbook(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> list[np.ndarray]:
    """Returns the loss and the gradients of hidden, kernel and bias in float64."""
    hidden, kernel = hidden.astype("float64"), kernel.astype("float64")
    logits = hidden @ kernel.T + bias
    logits -= logits.max(1, keepdims=True)
    sums = np.exp(logits).sum(1, keepdims=True)
    rows = np.arange(len(targets))
    loss = (weights * (np.log(sums[:, 0]) - logits[rows, targets])).sum()
    slopes = np.exp(logits) / sums
    slopes[rows, targets] -= 1.0
    slopes *= weights[:, None]
    return [loss, slopes @ kernel, slopes.T @ hidden, slopes.sum(0)]


def natively(arrays: list[np.ndarray], scale: float = 1.0) -> list[np.ndarray]:
    targets, weights = map(ops.convert_to_tensor, arrays[3:])

    def loss(*parts: Any) -> Any:
        return scale * weighted_softmax_cross_entropy(*parts, targets, weights, natively=True)

    return value_and_gradients(loss, arrays[:3])


def assert_near(expected: list[np.ndarray], made: list[np.ndarray], tolerance: float = 1e-5) -> None:
    for right, own in zip(expected, made, strict=True):
        assert own.shape == np.shape(right)
        assert np.abs(own - right).max() <= tolerance * max(1.0, np.abs(right).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_loss_and_gradients_are_those_of_the_textbook(shape: tuple[int, int, int]) -> None:
    arrays = arrays_of(*shape)
    expected = textbook(*arrays)
    assert min(np.abs(part).max() for part in expected) > 1e-4 or shape == (1, 1, 1)
    assert_near(expected, natively(arrays))


def test_what_a_loss_is_multiplied_by_is_heeded() -> None:
    arrays = arrays_of(20, 8, 30)
    assert_near([3.0 * part for part in textbook(*arrays)], natively(arrays, 3.0))


@pytest.mark.parametrize("rows", [20, 300])  # few, and more
@pytest.mark.parametrize("features", [8, 1600])  # sums in one block, and in several
def test_powers_that_overflow_over_the_target_are_made_over_the_highest_logit(features: int, rows: int) -> None:
    arrays = arrays_of(rows, features, 40)
    arrays[2] = np.where(np.arange(40) % 2, 120.0, -120.0).astype("float32")  # e^240 is no float32
    assert {target % 2 for target in arrays[3]} == {0, 1}
    expected = textbook(*arrays)
    assert expected[0] > 200.0
    assert_near(expected, natively(arrays))


def test_a_confident_targets_small_slope_keeps_its_digits() -> None:
    hidden, kernel, bias = np.ones((1, 1), "float32"), np.zeros((3, 1), "float32"), np.zeros(3, "float32")
    kernel[1] = 18.0  # the probability of the others is 3e-8, less than 1 and it can be told apart
    arrays = [hidden, kernel, bias, np.array([1], "int32"), np.ones(1, "float32")]
    for right, own in zip(textbook(*arrays), natively(arrays), strict=True):
        np.testing.assert_allclose(own, right, rtol=1e-5)


def test_a_nan_stays_one_and_stays_in_its_row() -> None:
    arrays = arrays_of(5, 8, 30)
    arrays[4][:] = 1.0
    arrays[0][2, 3] = np.nan
    loss, d_hidden, d_kernel, _ = natively(arrays)
    assert np.isnan(loss)
    assert np.isnan(d_hidden).any(1).tolist() == [False, False, True, False, False]
    assert np.isnan(d_kernel).all()


@pytest.mark.parametrize("target", [-1, 30])
def test_a_target_that_is_no_token_is_refused(target: int) -> None:
    arrays = arrays_of(5, 8, 30)
    arrays[3][1] = target
    with pytest.raises(Exception, match=r"A target is no token of the softmax's vocabulary\."):
        natively(arrays)


def test_without_rows_there_is_no_loss() -> None:
    arrays = arrays_of(1, 8, 30)
    arrays = [arrays[0][:0], *arrays[1:3], arrays[3][:0], arrays[4][:0]]
    loss, d_hidden, d_kernel, d_bias = natively(arrays)
    assert (loss, d_hidden.shape) == (0.0, (0, 8))
    assert not d_kernel.any()
    assert not d_bias.any()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("adaptive", [False, True])
def test_a_layers_loss_is_the_same_by_either_way(adaptive: bool, tied: bool) -> None:
    keras.utils.set_random_seed(0)
    features = None if tied else 8
    layer: Any = AdaptiveSoftmax(60, features, cutoffs=[10, 30]) if adaptive else FullSoftmax(60, features)
    if tied and adaptive:
        layer.tie(8)
    hidden, kernel, _, targets, weights = arrays_of(50, 8, 60)
    parts = [hidden, kernel] if tied else [hidden]

    def loss(hidden: Any, table: Any = None) -> Any:
        return layer.weighted_loss(hidden, *map(ops.convert_to_tensor, (targets, weights)), table)

    assert layer.native_refusal == "training did not ask for it"
    expected = value_and_gradients(loss, parts)
    layer.native_refusal = None
    made = value_and_gradients(loss, parts)
    assert any(not np.array_equal(one, other) for one, other in zip(expected, made, strict=True))  # another way it was
    assert_near(expected, made)


CUTOFFS = (40, 41, 300)


def test_an_adaptive_loss_is_that_of_its_levels() -> None:
    hidden, table, bias, targets, weights = arrays_of(400, 12, 900)
    kernel, cluster_bias = np.random.default_rng(1).normal(size=(3, 12)).astype("float32"), np.ones(3, "float32")
    assert all(np.count_nonzero(np.searchsorted(CUTOFFS, targets, "right") == level) for level in (0, 2, 3))
    made = value_and_gradients(_adaptive(targets, weights), [hidden, table, bias, kernel, cluster_bias])
    first = np.minimum(targets, CUTOFFS[0] - 1 + np.searchsorted(CUTOFFS, targets, "right"))
    head = [np.concatenate(parts) for parts in ((table[:40], kernel), (bias[:40], cluster_bias))]
    loss, d_hidden, d_head, d_head_bias = textbook(hidden, *head, first, weights)
    d_table, d_bias = [d_head[:40]], [d_head_bias[:40]]
    for low, high in zip(CUTOFFS, (*CUTOFFS[1:], 900), strict=True):
        rows = np.flatnonzero((targets >= low) & (targets < high))
        own = textbook(hidden[rows], table[low:high], bias[low:high], targets[rows] - low, weights[rows])
        loss += own[0]
        d_hidden[rows] += own[1]
        d_table.append(own[2])
        d_bias.append(own[3])
    expected = [loss, d_hidden, np.concatenate(d_table), np.concatenate(d_bias), d_head[40:], d_head_bias[40:]]
    assert_near(expected, made)


def _adaptive(targets: np.ndarray, weights: np.ndarray, cutoffs: tuple[int, ...] = CUTOFFS) -> Any:
    rows = tuple(map(ops.convert_to_tensor, (targets, weights)))
    return lambda hidden, table, bias, *clusters: native_adaptive_loss(hidden, table, bias, clusters, cutoffs, *rows)


@pytest.mark.parametrize("cutoffs", [(), (0, 3), (3, 3), (5, 3), (3, 30)])
def test_cutoffs_that_do_not_rise_inside_the_vocabulary_are_refused(cutoffs: tuple[int, ...]) -> None:
    hidden, table, bias, targets, weights = arrays_of(5, 8, 30)
    parts = [hidden, table, bias, np.ones((len(cutoffs), 8), "float32"), np.ones(len(cutoffs), "float32")]
    with pytest.raises(Exception, match="Cutoffs of an adaptive softmax must rise, above 0 and below its vocabulary"):
        value_and_gradients(_adaptive(targets, weights, cutoffs), parts)


def test_with_narrow_vectors_it_is_the_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "width", lambda: 8)
    assert refusal() == "without vectors of 512 bits (AVX-512) it would take longer"


@pytest.mark.skipif(softmax_refusal("bfloat16") is not None, reason=f"by the backend: {softmax_refusal('bfloat16')}")
@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("rows", [200, 400])  # few, and more
def test_in_bfloat16_factors_are_rounded_and_sums_are_not(rows: int, adaptive: bool) -> None:
    hidden, kernel, bias, targets, weights = arrays_of(rows, 70, 300)
    hidden, kernel = (np.asarray(ops.cast(ops.cast(part, "bfloat16"), "float32")) for part in (hidden, kernel))
    clusters = [np.zeros((1, 70), "float32"), np.zeros(1, "float32")] if adaptive else []
    how = _adaptive(targets, weights, (299,)) if adaptive else _full(targets, weights)

    def loss(hidden: Any, *parts: Any) -> Any:
        return how(ops.cast(hidden, "bfloat16"), *parts)

    parts = [hidden, kernel, bias, *clusters]
    made, exact = value_and_gradients(loss, parts), value_and_gradients(how, parts)
    np.testing.assert_allclose(made[0], exact[0], rtol=2e-5)  # logits are sums of rounded factors, which these are
    assert not any(np.array_equal(own, right) for own, right in zip(made[1:3], exact[1:3], strict=True))
    for own, right in zip(made[1:], exact[1:], strict=True):  # powers are rounded where they are factors
        assert np.abs(own - right).max() <= 2.0**-7 * np.abs(right).max()


def _full(targets: np.ndarray, weights: np.ndarray) -> Any:
    rows = tuple(map(ops.convert_to_tensor, (targets, weights)))
    return lambda *parts: weighted_softmax_cross_entropy(*parts, *rows, natively=True)


def test_what_is_refused_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("bfloat16") == "it takes float32, not bfloat16 (training.precision)"
    assert softmax_refusal("bfloat16") == operations.refusal("bfloat16")
    monkeypatch.setattr(operations, "width", lambda: 8)
    assert softmax_refusal("float32") == "without vectors of 512 bits (AVX-512) it would take longer"
