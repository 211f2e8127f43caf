"""Pooling by its meaning: what each kind returns for numbers that a reader can do in the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from textseq.layers.masked_softmax import masked_softmax
from textseq.layers.pooling import Pooling

STEPS = np.array([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]]], "float32")  # (1, 3, 2); the last step is padding
MASK = np.array([[True, True, False]])


def pooled(kind: Any, mask: Any = MASK, steps: Any = STEPS, **arguments: Any) -> list[list[float]]:
    return ops.convert_to_numpy(Pooling(kind, **arguments)(steps, mask=mask)).tolist()


@pytest.mark.parametrize(("kind", "wanted"), [("last", [3.0, -2.0]), ("mean", [2.0, -3.0]), ("max", [3.0, -2.0])])
def test_padding_does_not_count(kind: str, wanted: list[float]) -> None:
    assert pooled(kind) == [wanted]


def test_without_a_mask_every_step_counts() -> None:
    assert pooled("max", None) == [[9.0, 9.0]]
    assert pooled("last", None) == [[9.0, 9.0]]


def test_the_backward_halfs_last_step_is_the_first() -> None:
    assert pooled("last", bidirectional=True) == [[3.0, -4.0]]


def test_attention_weighs_real_steps_only() -> None:
    layer = Pooling("attention")
    layer.build((None, None, 2))
    first = ops.convert_to_numpy(layer(STEPS, mask=MASK))
    changed = STEPS.copy()
    changed[0, 2] = -100.0
    np.testing.assert_allclose(first, ops.convert_to_numpy(layer(changed, mask=MASK)), atol=1e-6)
    low, high = STEPS[0, :2].min(0), STEPS[0, :2].max(0)
    assert (first[0] >= low).all()
    assert (first[0] <= high).all()


@pytest.mark.parametrize("kind", ["last", "mean", "max", "attention"])
def test_a_text_without_tokens_gives_zeros(kind: str) -> None:
    assert pooled(kind, np.zeros((1, 3), bool)) == [[0.0, 0.0]]


def test_masked_softmax_sums_to_1_over_what_counts() -> None:
    scores = np.array([[0.0, 0.0, 50.0], [1000.0, 0.0, 0.0]], "float32")
    real = np.array([[True, True, False], [True, True, True]])
    weights = ops.convert_to_numpy(masked_softmax(ops.convert_to_tensor(scores), real))
    np.testing.assert_allclose(weights, [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], atol=1e-6)


def test_one_place_has_weight_1_without_a_warning() -> None:
    weights = masked_softmax(ops.convert_to_tensor(np.array([[3.0]], "float32")), np.array([[True]]))
    assert ops.convert_to_numpy(weights).tolist() == [[1.0]]
