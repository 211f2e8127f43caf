"""The softmax in chunks against the plain one, on whichever backend is on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers import one_pass
from textseq.layers.device import has_gpu
from textseq.layers.softmax import cross_entropy, products, softmax_cross_entropy, weighted_softmax_cross_entropy


def numbers(rows: int, features: int, vocabulary: int) -> tuple[Any, ...]:
    generator = np.random.default_rng(rows)
    hidden = generator.normal(size=(rows, features)).astype("float32")
    kernel = generator.normal(size=(vocabulary, features)).astype("float32")
    bias = generator.normal(size=vocabulary).astype("float32")
    targets = generator.integers(0, vocabulary, rows).astype("int32")
    weights = (generator.random(rows) < 0.8).astype("float32") * generator.random(rows).astype("float32")
    return hidden, kernel, bias, targets, weights


@pytest.fixture(
    params=[
        "all at once",
        "7 rows a chunk",
        "compiled",
        "7 rows a chunk, compiled",
        "as on a GPU",
        "7 rows a chunk, as on a GPU",
    ]
)
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that sets how many rows of a vocabulary are done at once, whether they are compiled, and where."""

    def of(vocabulary: int) -> None:
        if "compiled" in request.param:
            monkeypatch.setattr(cross_entropy, "_LARGE_LOGITS", 1)
        if "7 rows" in request.param:
            monkeypatch.setattr(cross_entropy, "_WHOLE_LOGITS", 7 * vocabulary)
            monkeypatch.setattr(cross_entropy, "_CHUNK_LOGITS", 7 * vocabulary)
            monkeypatch.setattr(cross_entropy, "_LEAST_ROWS", 1)
            monkeypatch.setattr(cross_entropy, "_CHUNK_LOGITS_ON_GPU", 7 * vocabulary)
        if "GPU" in request.param:
            monkeypatch.setattr(cross_entropy, "has_gpu", lambda: True)

    return of


def plain(hidden: Any, kernel: Any, bias: Any, targets: Any) -> np.ndarray:
    """Negative log-likelihoods in float64, by the textbook."""
    logits = hidden.astype("float64") @ kernel.T.astype("float64") + bias
    highest = logits.max(1, keepdims=True)
    sums = np.log(np.exp(logits - highest).sum(1)) + highest[:, 0]
    return sums - logits[np.arange(len(targets)), targets]


def plain_gradients(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> tuple[np.ndarray, ...]:
    """Of the weighted sum, to hidden, kernel and bias: (probabilities - ones at the targets) by the chain rule."""
    logits = hidden.astype("float64") @ kernel.T.astype("float64") + bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    d_logits = powers / powers.sum(1, keepdims=True)
    d_logits[np.arange(len(targets)), targets] -= 1
    d_logits *= weights[:, None]
    return d_logits @ kernel, d_logits.T @ hidden, d_logits.sum(0)


def gradients(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any, scale: float) -> list[np.ndarray]:
    if keras.backend.backend() == "jax":
        import jax

        def total(*parts: Any) -> Any:
            return scale * weighted_softmax_cross_entropy(*parts, targets, weights)

        found = jax.grad(total, argnums=(0, 1, 2))(*map(ops.convert_to_tensor, (hidden, kernel, bias)))
    else:
        import tensorflow as tf

        parts = [tf.Variable(part) for part in (hidden, kernel, bias)]
        with tf.GradientTape() as tape:
            total = scale * weighted_softmax_cross_entropy(*(part * 1.0 for part in parts), targets, weights)
        found = tape.gradient(total, parts)
    return [np.asarray(ops.convert_to_numpy(part)) for part in found]


@pytest.mark.parametrize(("rows", "vocabulary"), [(1, 5), (7, 11), (37, 50), (70, 300)])
def test_each_targets_loss_is_that_of_the_plain_softmax(rows: int, vocabulary: int, chunks: Any) -> None:
    chunks(vocabulary)
    hidden, kernel, bias, targets, _ = numbers(rows, 8, vocabulary)
    found = ops.convert_to_numpy(softmax_cross_entropy(*map(ops.convert_to_tensor, (hidden, kernel, bias, targets))))
    np.testing.assert_allclose(found, plain(hidden, kernel, bias, targets), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("confidence", [1.0, 8.0])
def test_in_bfloat16_a_targets_small_slope_keeps_its_digits(confidence: float, chunks: Any) -> None:
    chunks(50)
    half = ops.cast(numbers(1, 8, 50)[0], "bfloat16")
    hidden, kernel, bias = np.float32(half), np.zeros((50, 8), "float32"), np.zeros(50, "float32")
    kernel[7] = confidence * hidden / np.square(hidden).sum()  # whose logit is the confidence; all others are 0
    kernel = np.float32(ops.cast(kernel, "bfloat16"))
    rest = (np.array([7], "int32"), np.array([0.7], "float32"))
    found, right = gradients(half, kernel, bias, *rest, 1.0), plain_gradients(hidden, kernel, bias, *rest)
    np.testing.assert_allclose(found[1][7], right[1][7], rtol=0.02)


@pytest.mark.parametrize("tiles", [False, True])  # whether the bias's gradient is a column of the kernel's
@pytest.mark.parametrize("rows", [20, 70])  # fewer than four a feature, and more
def test_in_bfloat16_gradients_are_near_those_of_the_plain_softmax(
    rows: int, tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[Any] = []
    monkeypatch.setattr(products, "has_tiles", lambda: tiles)
    monkeypatch.setattr(products, "compiled", lambda function: cut.append(function) or one_pass.compiled(function))
    hidden, kernel, bias, targets, weights = numbers(rows, 8, 300)
    half, kernel = ops.cast(hidden, "bfloat16"), np.float32(ops.cast(kernel, "bfloat16"))
    found = gradients(half, kernel, bias, targets, weights, 1.0)
    for mine, right in zip(found, plain_gradients(np.float32(half), kernel, bias, targets, weights), strict=True):
        np.testing.assert_allclose(np.float32(mine), right, atol=2.0**-6 * np.abs(right).max())
    assert bool(cut) == (keras.backend.backend() == "tensorflow" and not has_gpu() and tiles and rows == 70)


@pytest.mark.parametrize("features", [8, 48])  # a block of columns filled badly, and well
@pytest.mark.parametrize(("rows", "vocabulary"), [(1, 5), (7, 11), (37, 50), (70, 300)])
def test_loss_and_gradients_are_those_of_the_plain_softmax(
    rows: int, vocabulary: int, features: int, chunks: Any
) -> None:
    chunks(vocabulary)
    hidden, kernel, bias, targets, weights = numbers(rows, features, vocabulary)
    total = weighted_softmax_cross_entropy(*map(ops.convert_to_tensor, (hidden, kernel, bias, targets, weights)))
    wanted = float((plain(hidden, kernel, bias, targets) * weights).sum())
    assert float(total) == pytest.approx(wanted, rel=1e-5)
    scale = 0.37
    found = gradients(hidden, kernel, bias, targets, weights, scale)
    for mine, right in zip(found, plain_gradients(hidden, kernel, bias, targets, weights), strict=True):
        np.testing.assert_allclose(mine, scale * right, rtol=1e-5, atol=1e-5 * np.abs(right).max())


def test_large_logits_do_not_overflow() -> None:
    hidden, kernel, bias, targets, _ = numbers(6, 4, 9)
    found = softmax_cross_entropy(*map(ops.convert_to_tensor, (100 * hidden, 100 * kernel, bias, targets)))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), plain(100 * hidden, 100 * kernel, bias, targets), rtol=1e-5, atol=1e-2
    )


@pytest.mark.parametrize("spread", [30.0, 50.0, 300.0])
def test_biases_far_apart_lose_nothing(spread: float, chunks: Any) -> None:
    chunks(50)
    hidden, kernel, bias, targets, weights = numbers(12, 8, 50)
    bias = np.linspace(-spread / 2, spread / 2, 50, dtype="float32")[np.random.default_rng(3).permutation(50)]
    parts = (hidden, kernel, bias, targets, weights)
    total = weighted_softmax_cross_entropy(*map(ops.convert_to_tensor, parts))
    assert float(total) == pytest.approx(float((plain(*parts[:4]) * weights).sum()), rel=1e-5)
    for mine, right in zip(gradients(*parts, 1.0), plain_gradients(*parts), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-4, atol=1e-5 * np.abs(right).max())


def test_a_target_far_below_the_highest_logit_does_not_overflow(chunks: Any) -> None:
    chunks(50)
    hidden, kernel, bias, targets, weights = numbers(37, 8, 50)
    parts = (30 * hidden, 3 * kernel, bias, targets, weights)
    losses = plain(*parts[:4])
    assert losses.max() > 200  # whose power over the target's is no number
    total = weighted_softmax_cross_entropy(*map(ops.convert_to_tensor, parts))
    assert float(total) == pytest.approx(float((losses * weights).sum()), rel=1e-5)
    for mine, right in zip(gradients(*parts, 1.0), plain_gradients(*parts), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-3, atol=1e-4 * np.abs(right).max())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles it as a part of a step anyway")
def test_as_a_part_of_what_xla_compiles_it_is_the_same() -> None:
    import tensorflow as tf

    parts, given = numbers(37, 8, 50), [tf.Variable(part) for part in numbers(37, 8, 50)[:3]]

    @tf.function(jit_compile=True)
    def compiled() -> Any:
        with tf.GradientTape() as tape:
            total = weighted_softmax_cross_entropy(*(part * 1.0 for part in given), *parts[3:], jit=True)
        return tape.gradient(total, given)

    for mine, right in zip(compiled(), plain_gradients(*parts), strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5, atol=1e-5 * np.abs(right).max())


def test_a_row_of_weight_0_moves_nothing() -> None:
    hidden, kernel, bias, targets, weights = numbers(12, 4, 9)
    weights[3] = 0.0
    changed = hidden.copy()
    changed[3] += 5.0
    one, other = (gradients(part, kernel, bias, targets, weights, 1.0) for part in (hidden, changed))
    np.testing.assert_allclose(one[1], other[1], atol=1e-6)
    assert not one[0][3].any()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX knows every shape beforehand")
@pytest.mark.parametrize("rows", [0, 1, 20])
def test_chunks_are_made_also_where_the_graph_does_not_know_how_many_rows_come(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(cross_entropy, "_CHUNK_LOGITS", 7 * 9)
    monkeypatch.setattr(cross_entropy, "_LEAST_ROWS", 1)
    hidden, kernel, bias, targets, weights = numbers(20, 4, 9)

    @tf.function(input_signature=[tf.TensorSpec((None, 4)), tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,))])
    def step(hidden: Any, targets: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            total = weighted_softmax_cross_entropy(hidden, tf.constant(kernel), tf.constant(bias), targets, weights)
        return total, tape.gradient(total, hidden)

    total, slope = step(hidden[:rows], targets[:rows], weights[:rows])
    parts = (hidden[:rows], kernel, bias, targets[:rows])
    assert float(total) == pytest.approx(float((plain(*parts) * weights[:rows]).sum() if rows else 0.0), abs=1e-4)
    np.testing.assert_allclose(slope, plain_gradients(*parts, weights[:rows])[0] if rows else hidden[:0], atol=1e-5)
