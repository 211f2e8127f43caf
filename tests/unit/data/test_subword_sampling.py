"""Random cuts of words: SentencePiece's own where nothing is random, its distribution where something is."""

from __future__ import annotations

import collections
import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer
from textseq.data.tokenizers.subwords import MergeSampler, Pieces, Sampler, UnigramSampler, sample

TEXTS = [
    "the cat sat on the mat",
    "a dog ran to the door",
    "the mat is here  and\n\nthere",
    "on and on the dog sat",
] * 10
ODD = ["", "  the  cat\n", "the 🐈 sat ★★ x", "Ünïcode ﬁ", "quick▁fox", "한국어 the", "\ud800 cat"]


def fitted(**arguments: object) -> SentencePieceTokenizer:
    tokenizer = SentencePieceTokenizer(300, **arguments)  # type: ignore[arg-type]
    tokenizer.fit(iter(TEXTS))
    return tokenizer


@pytest.mark.parametrize("byte_fallback", [True, False])
@pytest.mark.parametrize("normalization", ["nmt_nfkc", "identity"])
@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_where_chance_decides_nothing_the_cut_is_sentencepieces(
    model: str, normalization: str, byte_fallback: bool
) -> None:
    tokenizer = fitted(model=model, normalization=normalization, byte_fallback=byte_fallback)
    pieces = Pieces(tokenizer._processor)
    sampler: Sampler = UnigramSampler(pieces, 1e4) if model == "unigram" else MergeSampler(pieces, 0.0)
    texts = [text.encode("utf-8", "replace").decode() for text in (*TEXTS[:4], *ODD)]
    ours = sample(texts, pieces, sampler, np.random.default_rng(0))
    for text, mine, theirs in zip(texts, ours, tokenizer.encode(texts), strict=True):
        theirs = [int(token) for token in theirs]
        assert mine == theirs or tokenizer.equally_likely(mine, theirs), text


def cuts_of(word: str, pieces: Pieces) -> list[tuple[str, ...]]:
    found = []
    for marks in itertools.product([False, True], repeat=len(word) - 1):
        edges = [0, *(place for place, mark in enumerate(marks, start=1) if mark), len(word)]
        cut = tuple(word[low:high] for low, high in itertools.pairwise(edges))
        if all(piece in pieces.known for piece in cut):
            found.append(cut)
    return found


def test_cuts_come_as_often_as_the_model_says() -> None:
    tokenizer, sharpness, draws = fitted(), 0.3, 4000
    pieces = Pieces(tokenizer._processor)
    words = {word for text in TEXTS for word in pieces.words(text)}
    word = max(sorted(words), key=lambda word: len(cuts_of(word, pieces)))
    scores = {cut: sum(pieces.known[piece][1] for piece in cut) for cut in cuts_of(word, pieces)}
    likelihood = {cut: math.exp(sharpness * score) for cut, score in scores.items()}
    assert len(likelihood) >= 3
    generator, sampler = np.random.default_rng(0), UnigramSampler(pieces, sharpness)
    found = collections.Counter(tuple(sampler.cut(word, generator)) for _ in range(draws))
    assert set(found) <= set(likelihood)
    for cut, weight in likelihood.items():
        expected = weight / sum(likelihood.values())
        spread = math.sqrt(expected * (1 - expected) / draws)
        assert abs(found[cut] / draws - expected) < 4 * spread + 1e-3, cut


def test_each_merge_is_left_out_as_often_as_asked() -> None:
    tokenizer, dropout, draws = fitted(model="bpe"), 0.25, 4000
    pieces = Pieces(tokenizer._processor)
    word = next(piece for piece in pieces.known if len(piece) == 2)  # one merge makes it
    generator, sampler = np.random.default_rng(0), MergeSampler(pieces, dropout)
    apart = sum(len(sampler.cut(word, generator)) == 2 for _ in range(draws)) / draws
    assert abs(apart - dropout) < 4 * math.sqrt(dropout * (1 - dropout) / draws)


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_another_process_draws_the_same(model: str, tmp_path: Path) -> None:
    tokenizer = fitted(model=model, sampling=0.2)
    (tmp_path / "learned").write_bytes(tokenizer.learned())
    program = (
        "import sys, numpy\nfrom textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer\n"
        f"tokenizer = SentencePieceTokenizer(300, model={model!r}, sampling=0.2)\n"
        "tokenizer.restore(open(sys.argv[1], 'rb').read())\n"
        f"sys.stdout.write(str(tokenizer.encode_sampled({TEXTS[:4]!r}, numpy.random.default_rng(7))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "learned")], capture_output=True, text=True, check=True
    )
    assert done.stdout == str(tokenizer.encode_sampled(TEXTS[:4], np.random.default_rng(7)))
    assert done.stdout != str([list(map(int, row)) for row in tokenizer.encode(TEXTS[:4])])
