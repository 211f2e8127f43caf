"""Every tokenizer's form inside a graph gives the ids and the texts that the tokenizer itself gives."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from textseq.data.tokenizers.base import Tokenizer
from textseq.data.tokenizers.graph.words import lower, white_space
from textseq.data.tokenizers.words import WordsTokenizer
from textseq.errors import UsageError
from textseq.export.adversarial import adversarial_texts
from textseq.registry import tokenizers

TEXTS = ["The cat sat on the mat.", "a dog, a HORSE and à la carte", "Straße ΑΣ İstanbul", "日本語の猫", "x y z <unk>"]
KINDS = [
    ("bytes", {}),
    ("words", {}),
    ("words", {"lowercase": True, "min_count": 2}),
    ("sentencepiece", {"vocabulary_size": 320}),
    ("sentencepiece", {"vocabulary_size": 320, "model": "bpe", "normalization": "identity"}),
    ("sentencepiece", {"vocabulary_size": 60, "byte_fallback": False}),
    ("sentencepiece", {"vocabulary_size": 60, "model": "char", "normalization": "nfkc_cf"}),
]


def test_every_tokenizer_that_comes_with_textseq_is_tried() -> None:
    assert {name for name, _ in KINDS} == set(tokenizers.names())


@pytest.fixture(scope="module", params=KINDS, ids=str)
def tokenizer(request: Any) -> Tokenizer:
    name, arguments = request.param
    made: Tokenizer = tokenizers.get(name)(**arguments)
    made.fit(TEXTS * 20)
    return made


def test_the_graph_gives_the_same_ids(tokenizer: Tokenizer) -> None:
    texts = [text.decode("utf-8", "replace") for text in adversarial_texts()] + TEXTS
    assert len(texts) > 300
    encode = tf.function(tokenizer.graph_encoder(), input_signature=[tf.TensorSpec([None], tf.string)])
    found = encode(tf.constant([text.encode() for text in texts]))
    for text, given, wanted in zip(texts, found.to_list(), tokenizer.encode(texts), strict=True):
        assert given == np.asarray(wanted).tolist(), repr(text[:50])
    assert encode(tf.constant([], tf.string)).shape[0] == 0


def test_the_graph_gives_the_same_texts(tokenizer: Tokenizer) -> None:
    generator = np.random.default_rng(0)
    rows = [generator.integers(0, tokenizer.vocabulary_size, generator.integers(0, 12)).tolist() for _ in range(300)]
    rows += [np.asarray(ids).tolist() for ids in tokenizer.encode(TEXTS)]
    decode = tf.function(tokenizer.graph_decoder(), input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    found = decode(tf.ragged.constant(rows, tf.int32)).numpy()
    assert [text.decode() for text in found] == tokenizer.decode(rows)


def test_lower_case_is_pythons_for_every_character_there_is() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    found = lower(tf.constant([character.encode() for character in characters])).numpy()
    wrong = [c for c, small in zip(characters, found, strict=True) if small.decode() != c.lower()]
    assert wrong == []


def test_white_space_is_pythons_and_nothing_else() -> None:
    spaces = white_space()
    assert "".join(spaces).split() == []
    assert "\u200b" not in spaces  # invisible, but no white space
    tokenizer = WordsTokenizer()
    tokenizer.fit(["left right"])
    texts = [f"left{space}right" for space in spaces]
    found = tokenizer.graph_encoder()(tf.constant([text.encode() for text in texts])).to_list()
    assert found == tokenizer.encode(texts)
    assert all(len(ids) == 2 for ids in found)


def test_a_tokenizer_without_a_graph_says_so() -> None:
    class Mine(Tokenizer):
        registered_name = "mine"

    with pytest.raises(UsageError, match=r"tokenizer 'mine': has no form inside a TensorFlow graph.*graph_encoder"):
        Mine().graph_encoder()
    with pytest.raises(UsageError, match="graph_decoder"):
        Mine().graph_decoder()
