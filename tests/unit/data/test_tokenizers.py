"""Tokenizers: every registered one by the same facts, and what is special to each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textseq.data.tokenizers.base import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer, load_tokenizer
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer
from textseq.data.tokenizers.words import WordsTokenizer
from textseq.errors import DataError, RunDirectoryError, UsageError
from textseq.registry import tokenizers

TEXTS = ["the cat sat on the mat", "the dog ran to the door", "a bird sang in the old tree", "日本語の文章です"] * 30
ODD = ["", " ", "the  cat", "naïve café", "🐈", "a\nb\tc", "\x00", "x" * 5000, "never seen words", "\ud800"]
NAMES = tokenizers.names()


def fitted(name: str, **arguments: Any) -> Tokenizer:
    if name == "sentencepiece":
        arguments = {"vocabulary_size": 320, **arguments}
    made: Tokenizer = tokenizers.get(name)(**arguments)
    made.fit(iter(TEXTS), 0)
    return made


def test_the_registry_holds_what_the_design_names() -> None:
    assert {"sentencepiece", "bytes", "words"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_within_the_vocabulary_and_never_special(name: str) -> None:
    tokenizer = fitted(name)
    rows = tokenizer.encode(TEXTS[:4] + ODD)
    assert len(rows) == len(TEXTS[:4] + ODD)
    for row in rows:
        ids = np.asarray(row, np.int64)
        assert ((ids == UNKNOWN_ID) | (ids > END_ID)).all()
        assert (ids < tokenizer.vocabulary_size).all()
        assert PAD_ID not in ids
    assert np.iinfo(tokenizer.id_type).max >= tokenizer.vocabulary_size - 1


@pytest.mark.parametrize("name", NAMES)
def test_known_text_comes_back(name: str) -> None:
    tokenizer = fitted(name)
    assert tokenizer.decode(tokenizer.encode(TEXTS[:3])) == TEXTS[:3]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_tokenizer_gives_the_same_ids(name: str, tmp_path: Path) -> None:
    tokenizer = fitted(name)
    tokenizer.save(tmp_path / "tokenizer")
    again = load_tokenizer(tmp_path / "tokenizer")
    assert again.fingerprint == tokenizer.fingerprint
    assert [list(row) for row in again.encode(TEXTS[:4] + ODD)] == [
        list(row) for row in tokenizer.encode(TEXTS[:4] + ODD)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_fitting_twice_gives_the_same_tokenizer(name: str) -> None:
    assert fitted(name).fingerprint == fitted(name).fingerprint


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bytes"])
def test_a_tokenizer_that_is_not_fitted_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="has not been fitted"):
        tokenizers.get(name)().encode(["a"])


def test_a_damaged_vocabulary_is_noticed(tmp_path: Path) -> None:
    fitted("words").save(tmp_path / "tokenizer")
    with (tmp_path / "tokenizer" / "vocabulary").open("ab") as file:
        file.write(b"\nmore")
    with pytest.raises(RunDirectoryError, match="is damaged"):
        load_tokenizer(tmp_path / "tokenizer")


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_bytes_lose_nothing(text: str) -> None:
    wanted = text.encode("utf-8", "replace").decode()
    assert BytesTokenizer().decode(BytesTokenizer().encode([text])) == [wanted]


def test_a_byte_has_the_id_of_its_value_after_the_special_ones() -> None:
    assert [list(row) for row in BytesTokenizer().encode(["Aé"])] == [[4 + 65, 4 + 0xC3, 4 + 0xA9]]


def test_bytes_of_a_cut_character_are_shown_as_such() -> None:
    assert BytesTokenizer().decode([[4 + 0xC3]]) == ["�"]


@pytest.mark.parametrize("model", ["unigram", "bpe", "char"])
def test_every_sentencepiece_model_reads_what_it_wrote(model: str) -> None:
    tokenizer = fitted("sentencepiece", model=model, vocabulary_size=320 if model != "char" else 60)
    assert tokenizer.decode(tokenizer.encode(TEXTS[:4])) == TEXTS[:4]


def test_byte_fallback_spells_what_was_never_seen() -> None:
    tokenizer = fitted("sentencepiece")
    assert tokenizer.decode(tokenizer.encode(["the 🐈 sat"])) == ["the 🐈 sat"]
    assert tokenizer.unknown_bytes(["the 🐈 sat"]) == [0]


def test_without_byte_fallback_unknown_bytes_are_counted() -> None:
    tokenizer = fitted("sentencepiece", byte_fallback=False, vocabulary_size=60)
    assert UNKNOWN_ID in list(tokenizer.encode(["the 🐈"])[0])
    assert tokenizer.unknown_bytes(["the cat", "🐈"]) == [0, 4]


def test_identity_normalization_keeps_every_space_and_newline() -> None:
    tokenizer = fitted("sentencepiece", normalization="identity")
    for text in ("  the  cat\n\nsat ", "the dog"):
        assert tokenizer.decode(tokenizer.encode([text])) == [text]


def test_folding_makes_upper_and_lower_case_one() -> None:
    tokenizer = fitted("sentencepiece", normalization="nmt_nfkc_cf")
    assert list(tokenizer.encode(["THE CAT"])[0]) == list(tokenizer.encode(["the cat"])[0])


def test_sampling_cuts_differently_and_says_the_same() -> None:
    tokenizer = fitted("sentencepiece", sampling=0.1)
    drawn = {tuple(tokenizer.encode_sampled([TEXTS[0]], np.random.default_rng(seed))[0]) for seed in range(20)}
    assert len(drawn) > 5
    assert {tokenizer.decode([list(ids)])[0] for ids in drawn} == {TEXTS[0]}
    first, second = (tokenizer.encode_sampled(TEXTS[:3], np.random.default_rng(4)) for _ in range(2))
    assert [list(row) for row in first] == [list(row) for row in second]


def test_sentencepiece_refuses_a_corpus_without_text() -> None:
    with pytest.raises(DataError, match="cannot learn"):
        SentencePieceTokenizer().fit(iter(["", ""]))


def test_words_are_numbered_by_how_common_they_are() -> None:
    tokenizer = WordsTokenizer(vocabulary_size=6)
    tokenizer.fit(iter(["b b b a a c"]))
    assert [list(row) for row in tokenizer.encode(["b a c"])] == [[4, 5, UNKNOWN_ID]]
    assert tokenizer.unknown_bytes(["b a c"]) == [1]


def test_rare_words_have_no_id() -> None:
    tokenizer = WordsTokenizer(min_count=2)
    tokenizer.fit(iter(["b b a"]))
    assert tokenizer.vocabulary_size == 5
    assert [list(row) for row in tokenizer.encode(["b a"])] == [[4, UNKNOWN_ID]]


def test_an_unknown_word_that_stands_in_the_text_is_a_word_of_it() -> None:
    tokenizer = WordsTokenizer()
    tokenizer.fit(iter(["a <unk> b <unk> <pad> </s>"]))
    assert [list(row) for row in tokenizer.encode(["<unk>"])] == [[UNKNOWN_ID]]
    assert tokenizer.unknown_bytes(["a <unk>"]) == [0]
    assert [list(row) for row in tokenizer.encode(["<pad> </s>"])] == [[UNKNOWN_ID, UNKNOWN_ID]]


def test_two_cuts_of_one_text_are_equally_likely_only_where_the_unigram_model_says_so() -> None:
    tokenizer = tokenizers.get("sentencepiece")(60, byte_fallback=False)
    tokenizer.fit(["ab abab ba aab bba abba baab"] * 30, 0)
    pieces = {tokenizer._processor.id_to_piece(number): number for number in range(tokenizer.vocabulary_size)}
    a, b, ab = pieces["a"], pieces["b"], pieces["ab"]
    assert tokenizer.equally_likely([a, ab, b], [a, ab, b])
    assert tokenizer.equally_likely([a, ab, a, b], [a, a, b, ab])  # the same pieces in another order give the same text
    assert not tokenizer.equally_likely([a, ab], [a, a, b])  # one text, another likelihood
    assert not tokenizer.equally_likely([a, b], [b, a])  # another text
    assert not tokenizers.get("bytes")().equally_likely([4], [4, 5])
