"""Cutting, padding and joining token ids in a graph, against the NumPy functions that training uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from textseq.data import batches
from textseq.export import texts

LENGTHS = [0, 1, 2, 5, 6, 7, 11, 12, 30, 0]


def rows(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(4, 100, length).astype(np.int32) for length in lengths]


def ragged(values: list[np.ndarray]) -> Any:
    flat = np.concatenate([*values, np.zeros(0, np.int32)]).astype(np.int32)
    return tf.RaggedTensor.from_row_lengths(flat, [len(row) for row in values])


def same(found: Any, wanted: np.ndarray) -> None:
    found, width = np.asarray(found), min(found.shape[1], wanted.shape[1])
    np.testing.assert_array_equal(found[:, :width], wanted[:, :width])
    assert not found[:, width:].any()
    assert not wanted[:, width:].any()  # only the number of padded columns may differ


@pytest.mark.parametrize("truncate", ["end", "start", "middle"])
@pytest.mark.parametrize("max_length", [1, 2, 6, 7, 512])
def test_rows_are_cut_as_in_training(truncate: Any, max_length: int) -> None:
    values = rows(LENGTHS)
    found, length = texts.padded(ragged(values), max_length, truncate)
    wanted = batches.padded(values, None, size=len(values), max_length=max_length, truncate=truncate)["token_ids"]
    same(found, wanted)
    np.testing.assert_array_equal(length, (wanted != 0).sum(1))


@pytest.mark.parametrize("truncate", ["end", "start", "middle"])
@pytest.mark.parametrize("max_length", [1, 3, 4, 9, 10, 512])
def test_pairs_are_joined_as_in_training(truncate: Any, max_length: int) -> None:
    first = [row for row in rows(LENGTHS) for _ in LENGTHS]
    second = rows(LENGTHS, 1) * len(LENGTHS)
    found, segments, length = texts.padded_pairs(ragged(first), ragged(second), max_length, truncate)
    wanted = batches.padded(first, second, size=len(first), max_length=max_length, truncate=truncate)
    same(found, wanted["token_ids"])
    same(segments, wanted["segment_ids"])
    np.testing.assert_array_equal(length, (wanted["token_ids"] != 0).sum(1))


@pytest.mark.parametrize("end", [True, False])
def test_a_language_models_rows_begin_with_the_start_token(end: bool) -> None:
    values = rows([0, 3, 1])
    found = texts.framed(ragged(values), end=end).numpy()
    for row, value in zip(found, values, strict=True):
        wanted = [2, *value, *([3] if end else [])]
        np.testing.assert_array_equal(row[: len(wanted)], wanted)
        assert not row[len(wanted) :].any()


def test_no_texts_give_no_rows() -> None:
    nothing = ragged([])
    assert texts.padded(nothing, 8, "end")[0].shape == (0, 1)
    assert texts.padded_pairs(nothing, nothing, 8, "middle")[0].shape == (0, 1)
    assert texts.framed(nothing, end=True).shape[0] == 0


def test_bytes_that_are_no_utf8_are_read_as_python_reads_them() -> None:
    generator = np.random.default_rng(0)
    pool = np.frombuffer(
        b"aZ\x00\x80\xa0\xbf\xc0\xc2\xc3\xe0\xe3\x81\xed\xa0\xef\xbb\xbf\xf0\x9f\x98\xf4\x90\xf5\xff", np.uint8
    )
    sent = [generator.choice(pool, generator.integers(0, 9)).tobytes() for _ in range(5000)]
    found = texts.valid(tf.constant(sent)).numpy()
    assert [text.decode() for text in found] == [text.decode("utf-8", "replace") for text in sent]
