"""How much text a split holds, and a language model's scores normalised by it.

Perplexity depends on what the tokenizer calls a token. Bits per byte and per character divide by the raw text, so
models with different tokenizers can be compared. A token that stands for unknown text would make that a cheat, for
its spelling is lost; each byte of such text is charged in full, 8 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from textseq.data.tokenizers.base import Tokenizer

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class TextSize:
    """The raw text of one column of a split.

    Attributes:
        rows: Texts.
        bytes: In UTF-8.
        characters: Unicode code points.
        words: Separated by white space.
        unknown_bytes: Bytes that only the unknown token stands for.
    """

    rows: int
    bytes: int
    characters: int
    words: int
    unknown_bytes: int

    @classmethod
    def measure(cls, dataset: Any, column: str, tokenizer: Tokenizer) -> TextSize:
        """Reads through the column once, in memory that does not grow with it."""
        rows = size = characters = words = unknown = 0
        for batch in dataset.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE):
            texts = batch.column(column)
            rows += len(texts)
            size += pc.sum(pc.binary_length(texts)).as_py() or 0
            characters += pc.sum(pc.utf8_length(texts)).as_py() or 0
            plain = [text or "" for text in texts.to_pylist()]
            words += sum(len(text.split()) for text in plain)
            unknown += sum(tokenizer.unknown_bytes(plain))
        return cls(rows, size, characters, words, unknown)


def language_model_scores(nats: float, tokens: int, size: TextSize, *, ends: int) -> dict[str, Any]:
    """Returns a language model's scores, JSON-serialisable.

    Args:
        nats: Negative log-likelihood of all tokens.
        tokens: How many there were, ends of text among them.
        size: Of the raw text.
        ends: End-of-text tokens; word perplexity counts each as a word, as is usual for WikiText.
    """
    bits = nats / math.log(2) + 8.0 * size.unknown_bytes
    return {
        "loss": nats / max(tokens, 1),
        "perplexity": _exponential(nats / max(tokens, 1)),
        "word_perplexity": _exponential(nats / max(size.words + ends, 1)),
        "bits_per_byte": bits / max(size.bytes, 1),
        "bits_per_character": bits / max(size.characters, 1),
        "tokens": tokens,
        "bytes": size.bytes,
        "characters": size.characters,
        "words": size.words,
        "unknown_bytes": size.unknown_bytes,
        "rows": size.rows,
    }


def _exponential(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
