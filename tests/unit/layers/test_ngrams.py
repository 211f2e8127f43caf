"""What n-grams give to classes, beside a model that keeps a list of them."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from textseq.config.composing import check_component
from textseq.errors import ConfigError
from textseq.layers.ngrams import NgramScores

IDS = np.array([[5, 6, 7, 0, 0], [6, 5, 7, 6, 5], [9, 0, 0, 0, 0], [0, 0, 0, 0, 0]], "int32")


def made(longest: int, classes: int = 3) -> NgramScores:
    layer = NgramScores(classes, longest)
    random = np.random.default_rng(0)
    layer.table.assign(random.normal(size=layer.table.shape).astype("float32"))
    return layer


def found(layer: NgramScores, ids: np.ndarray) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(layer(ids, training=False)))


def test_nothing_is_given_before_training() -> None:
    assert not found(NgramScores(3, 2), IDS).any()


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_a_text_has_the_scores_of_its_ngrams_divided_by_the_root_of_their_number(longest: int) -> None:
    layer = made(longest)
    alone: dict[tuple[int, ...], np.ndarray] = {}  # each n-gram's scores, from texts in which they are the last ones

    def score(ngram: tuple[int, ...]) -> np.ndarray:
        if ngram not in alone:
            text = np.array([ngram], "int32")
            parts = [
                ngram[begin : begin + size]
                for size in range(1, min(longest, len(ngram)) + 1)
                for begin in range(len(ngram) - size + 1)
            ]
            whole = found(layer, text)[0] * np.sqrt(len(parts))
            alone[ngram] = whole - sum((score(part) for part in parts if part != ngram), np.zeros(3))
        return alone[ngram]

    for row, text in zip(found(layer, IDS), IDS, strict=True):
        real = tuple(int(number) for number in text if number)
        ngrams = [real[b : b + size] for size in range(1, longest + 1) for b in range(len(real) - size + 1)]
        wanted = sum((score(ngram) for ngram in ngrams), np.zeros(3)) / np.sqrt(max(len(ngrams), 1))
        np.testing.assert_allclose(row, wanted, rtol=1e-4, atol=1e-3)


def test_order_counts_from_two_tokens_on() -> None:
    text, turned = np.array([[5, 6]], "int32"), np.array([[6, 5]], "int32")
    np.testing.assert_allclose(found(made(1), text), found(made(1), turned), rtol=1e-5)
    layer = made(2)
    assert np.abs(found(layer, text) - found(layer, turned)).max() > 1


def test_padding_gives_nothing() -> None:
    layer = made(3)
    np.testing.assert_allclose(found(layer, IDS[:1, :3]), found(layer, IDS[:1]), rtol=1e-5)
    assert not found(layer, IDS[3:]).any()


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_the_shares_of_tokens_add_up(longest: int) -> None:
    layer = made(longest)
    shares = ops.convert_to_numpy(layer.shares(IDS))
    assert shares.shape == (*IDS.shape, 3)
    np.testing.assert_allclose(shares.sum(1), found(layer, IDS), rtol=1e-4, atol=1e-4)
    assert not shares[IDS == 0].any()


def test_large_ids_find_rows_of_their_own() -> None:
    layer = made(2)
    ids = np.array([[1_000_000, 999_999]], "int32")
    rows, _ = layer._found(ids)
    rows = ops.convert_to_numpy(rows)
    assert (rows >= 0).all()
    assert (rows < layer.table.shape[0]).all()
    assert len({int(rows[0, place]) for place in (0, 1, 2)}) == 3


def test_frequent_tokens_share_no_rows_nor_do_lengths() -> None:
    ids = np.stack(np.meshgrid(np.arange(1, 251), np.arange(1, 251)), -1).reshape(-1, 2).astype("int32")
    rows = ops.convert_to_numpy(made(2)._found(ids)[0])  # the first token, the second, both, and one beyond the text
    pairs = set(rows[:, 2].tolist())
    assert len(pairs) == 250 * 250
    assert len(set(rows[:, :2].ravel().tolist())) == 250
    assert not pairs & set(rows[:, :2].ravel().tolist())


def test_training_leaves_out_some_and_keeps_their_sum_in_the_mean() -> None:
    layer = made(1, classes=1)
    ids = np.tile(np.array([[5]], "int32"), (8000, 1))
    drawn = ops.convert_to_numpy(layer(ids, training=True))[:, 0]
    whole = found(layer, ids[:1])[0, 0]
    assert set(np.unique(drawn != 0)) == {False, True}
    assert drawn.mean() == pytest.approx(whole, rel=0.03)  # 8,000 draws: three standard deviations are 0.022


@pytest.mark.parametrize(("name", "value"), [("ngrams", -1), ("ngrams", 10**9), ("ngrams", 1.5), ("ngram_rate", 0.0)])
def test_what_makes_no_sense_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: .*Received: {value}"):
        check_component("task", {"name": "classification", name: value}, "here")
