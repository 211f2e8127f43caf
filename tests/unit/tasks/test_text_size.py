"""Scores that do not depend on what a tokenizer calls a token."""

import math

import pytest

from textseq.tasks.text_size import TextSize, language_model_scores


def test_bits_divide_by_the_raw_text_and_perplexity_by_the_tokens() -> None:
    size = TextSize(rows=2, bytes=40, characters=20, words=8, unknown_bytes=0)
    scores = language_model_scores(nats=80 * math.log(2), tokens=10, size=size, ends=2)
    assert scores["bits_per_byte"] == pytest.approx(2.0)
    assert scores["bits_per_character"] == pytest.approx(4.0)
    assert scores["perplexity"] == pytest.approx(2.0**8)  # 8 bits a token
    assert scores["word_perplexity"] == pytest.approx(2.0**8)  # 8 words and 2 ends of text
    assert scores["loss"] == pytest.approx(8 * math.log(2))


def test_unknown_text_is_charged_at_eight_bits_a_byte() -> None:
    size = TextSize(rows=1, bytes=10, characters=10, words=2, unknown_bytes=5)
    scores = language_model_scores(nats=0.0, tokens=2, size=size, ends=0)
    assert scores["bits_per_byte"] == pytest.approx(4.0)
    assert scores["perplexity"] == 1.0


def test_splitting_the_same_nats_over_more_tokens_changes_no_bits() -> None:
    size = TextSize(rows=1, bytes=12, characters=12, words=3, unknown_bytes=0)
    coarse = language_model_scores(nats=9.0, tokens=3, size=size, ends=0)
    fine = language_model_scores(nats=9.0, tokens=12, size=size, ends=0)
    assert coarse["bits_per_byte"] == fine["bits_per_byte"]
    assert coarse["word_perplexity"] == fine["word_perplexity"]
    assert coarse["perplexity"] > fine["perplexity"]


def test_hopeless_models_score_infinity_and_not_an_overflow() -> None:
    size = TextSize(rows=1, bytes=1, characters=1, words=1, unknown_bytes=0)
    assert language_model_scores(nats=1e6, tokens=1, size=size, ends=0)["perplexity"] == math.inf
