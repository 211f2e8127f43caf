"""Attention against its equations in NumPy, and its ring of keys and values far beyond the context."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.attention import SelfAttention, fused

ROWS, TIME, UNITS, HEADS, KV_HEADS, CONTEXT = 2, 13, 16, 4, 2, 5
INPUTS = np.random.default_rng(0).normal(size=(ROWS, TIME, UNITS)).astype("float32")


def attention(*, causal: bool = True) -> SelfAttention:
    layer = SelfAttention(UNITS, heads=HEADS, kv_heads=KV_HEADS, causal=causal, context=CONTEXT)
    layer.build((None, None, UNITS))
    generator = np.random.default_rng(1)
    layer.set_weights([generator.normal(scale=0.5, size=weight.shape) for weight in layer.weights])
    return layer


def turned(vector: np.ndarray, place: int) -> np.ndarray:
    """A vector as complex numbers, each turned by place / 10000^(pair / pairs)."""
    half = len(vector) // 2
    pairs = vector[:half] + 1j * vector[half:]
    pairs = pairs * np.exp(1j * place * 10_000.0 ** (-np.arange(half) / half))
    return np.concatenate([pairs.real, pairs.imag])


def by_hand(layer: SelfAttention, rows: np.ndarray, *, causal: bool) -> np.ndarray:
    """One sequence `(time, units)`, step by step and head by head, in float64."""
    projection, output = (np.asarray(weight, "float64") for weight in layer.get_weights())
    width, group = UNITS // HEADS, HEADS // KV_HEADS
    heads = (rows.astype("float64") @ projection).reshape(len(rows), HEADS + 2 * KV_HEADS, width)
    mixed = np.zeros((len(rows), HEADS, width))
    for query in range(len(rows)):
        seen = range(max(query - CONTEXT + 1, 0), query + 1) if causal else range(len(rows))
        for head in range(HEADS):
            key_head, value_head = HEADS + head // group, HEADS + KV_HEADS + head // group
            scores = [
                turned(heads[query, head], query) @ turned(heads[key, key_head], key) / math.sqrt(width) for key in seen
            ]
            weights = np.exp(scores) / np.exp(scores).sum()
            mixed[query, head] = sum(w * heads[key, value_head] for w, key in zip(weights, seen, strict=True))
    return mixed.reshape(len(rows), UNITS) @ output


def array(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("causal", [True, False])
def test_outputs_are_those_of_the_equations(causal: bool) -> None:
    layer = attention(causal=causal)
    outputs = array(layer(INPUTS)[0])
    for row in range(ROWS):
        np.testing.assert_allclose(outputs[row], by_hand(layer, INPUTS[row], causal=causal), atol=2e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_padding_anywhere_leaves_the_real_steps_as_they_are_without_it(causal: bool) -> None:
    layer = attention(causal=causal)
    real = np.ones((ROWS, TIME), bool)
    real[0, [0, 4, 5]] = False
    real[1, 9:] = False
    outputs = array(layer(np.where(real[..., None], INPUTS, 100.0).astype("float32"), real)[0])
    for row in range(ROWS):
        wanted = by_hand(layer, INPUTS[row][real[row]], causal=causal)
        np.testing.assert_allclose(outputs[row][real[row]], wanted, atol=2e-5)


@pytest.mark.parametrize("sizes", [(1,) * TIME, (4, 1, 1, 7), (6, 7), (12, 1)], ids=str)
def test_calls_one_after_the_other_equal_one_call_far_beyond_the_context(sizes: tuple[int, ...]) -> None:
    assert sum(sizes) == TIME > 2 * CONTEXT
    layer = attention()
    ring, outputs, begin = layer.get_initial_state(ROWS), [], 0
    for size in sizes:
        part, ring = layer(INPUTS[:, begin : begin + size], None, ring, return_state=True)
        outputs.append(array(part))
        begin += size
    np.testing.assert_allclose(np.concatenate(outputs, 1), array(layer(INPUTS)[0]), atol=2e-5)
    assert array(ring[2]).tolist() == [TIME] * ROWS


@pytest.mark.parametrize("sizes", [(1,) * TIME, (4, 1, 1, 7), (13,)], ids=str)
def test_padded_steps_are_not_written_into_the_ring(sizes: tuple[int, ...]) -> None:
    layer = attention()
    real = np.random.default_rng(3).random((ROWS, TIME)) < 0.6
    ring, begin = layer.get_initial_state(ROWS), 0
    for size in sizes:
        part = slice(begin, begin + size)
        _, ring = layer(INPUTS[:, part], real[:, part], ring, return_state=True)
        begin += size
    assert array(ring[2]).tolist() == real.sum(axis=1).tolist()
    for row in range(ROWS):
        kept = INPUTS[row : row + 1][:, real[row]]
        _, alone = layer(kept, None, layer.get_initial_state(1), return_state=True)
        for mine, wanted in zip(ring[:2], alone[:2], strict=True):
            np.testing.assert_allclose(array(mine)[row], array(wanted)[0], atol=1e-6)


def test_the_newest_step_overwrites_the_oldest_and_moves_nothing_else() -> None:
    layer = attention()
    _, before = layer(INPUTS[:, :6], None, layer.get_initial_state(ROWS), return_state=True)
    _, after = layer(INPUTS[:, 6:7], None, before, return_state=True)
    changed = [slot for slot in range(CONTEXT) if (array(before[0])[:, :, slot] != array(after[0])[:, :, slot]).any()]
    assert changed == [6 % CONTEXT]


on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="attention is one operation under JAX only")


@on_jax
@pytest.mark.parametrize("causal", [True, False])
def test_as_one_operation_it_gives_what_its_parts_give(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noting(dtype: str, time: int) -> bool:
        asked.append(time)
        return True

    layer = attention(causal=causal)
    inputs = INPUTS[:, :CONTEXT] if causal else INPUTS
    apart = array(layer(inputs)[0])
    monkeypatch.setattr("textseq.layers.attention.layer.can_fuse", noting)
    monkeypatch.setattr(layer, "_mix", None)
    np.testing.assert_allclose(array(layer(inputs)[0]), apart, atol=1e-5)
    assert asked == [inputs.shape[1]]


@on_jax
def test_where_steps_are_out_of_sight_or_padded_or_dropped_it_is_not_one_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("it was taken for what it cannot do")

    monkeypatch.setattr("textseq.layers.attention.layer.can_fuse", lambda dtype, time: True)
    monkeypatch.setattr("textseq.layers.attention.layer.fused_attention", never)
    layer = attention()
    layer(INPUTS)  # longer than the context
    layer(INPUTS[:, :3], real=np.ones((ROWS, 3), bool))
    _, ring = layer(INPUTS[:, :3], return_state=True, real=np.ones((ROWS, 3), bool))
    layer(INPUTS[:, 3:5], state=ring)
    dropping = SelfAttention(UNITS, heads=HEADS, kv_heads=KV_HEADS, causal=True, context=CONTEXT, dropout=0.5)
    dropping(INPUTS[:, :3], training=True)


@pytest.mark.parametrize(
    ("dtype", "time", "gpu", "fuses"),
    [
        ("bfloat16", 8, True, True),
        ("float32", 8, True, False),
        ("bfloat16", 7, True, False),
        ("bfloat16", 8, False, False),
    ],
)
def test_one_operation_takes_a_gpu_sixteen_bits_and_an_even_number_of_steps(
    dtype: str, time: int, gpu: bool, fuses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "has_gpu", lambda: gpu)
    assert fused.can_fuse(dtype, time) is (fuses and keras.backend.backend() == "jax")
