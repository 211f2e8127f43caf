"""Words between white space inside a TensorFlow graph, by Python's own notions of white space and lower case.

TensorFlow's ops split at ASCII's white space only and know capitals by another version of Unicode than Python does, so
both are given as tables that are read from Python when the graph is made.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from textseq.data.tokenizers.base import END_ID, UNKNOWN_ID


class GraphWords(tf.Module):
    """Encodes and decodes; a module, so that a SavedModel keeps its table.

    Args:
        ids: The id of every known word.
        words: Of every id.
        lowercase: Whether upper case is folded.
    """

    def __init__(self, ids: Mapping[str, int], words: Sequence[str], *, lowercase: bool) -> None:
        super().__init__()
        self.lowercase = lowercase
        known = tf.lookup.KeyValueTensorInitializer(
            [_utf8(word) for word in ids], list(ids.values()), tf.string, tf.int64
        )
        self.table = tf.lookup.StaticHashTable(known, default_value=UNKNOWN_ID)
        self._words = [_utf8(word) for word in words]
        self._spaces = "[" + "".join(f"\\x{{{ord(space):x}}}" for space in white_space()) + "]+"

    def encode(self, texts: Any) -> Any:
        """Returns the ids of each text. `(batch, None)` ragged, int32."""
        texts = lower(texts) if self.lowercase else texts
        spaced = tf.strings.strip(tf.strings.regex_replace(texts, self._spaces, " "))
        words = tf.strings.split(spaced, " ")
        words = tf.ragged.boolean_mask(words, words != "")  # a text without words is one empty word
        return tf.ragged.map_flat_values(lambda part: tf.cast(self.table.lookup(part), tf.int32), words)

    def decode(self, token_ids: Any) -> Any:
        """Returns the words of each row `(batch, None)`, ragged, joined by spaces. `(batch,)`."""
        spelled = tf.ragged.boolean_mask(token_ids, (token_ids > END_ID) | (token_ids == UNKNOWN_ID))
        words = tf.gather(tf.constant(self._words), spelled)
        return tf.strings.reduce_join(words, axis=1, separator=" ")


def lower(texts: Any) -> Any:
    """Returns valid UTF-8 in lower case, character by character, as Python's tables have it. `(batch,)`."""
    simple, several = _lower_case()
    for capital, small in several.items():
        texts = tf.strings.regex_replace(texts, capital, small)
    characters = tf.strings.unicode_decode(texts, "UTF-8")
    table = tf.constant(simple)
    inside = tf.minimum(characters.flat_values, len(simple) - 1)  # beyond the table there are no capitals
    small = tf.where(characters.flat_values < len(simple), tf.gather(table, inside), characters.flat_values)
    return tf.strings.unicode_encode(characters.with_flat_values(small), "UTF-8")


def white_space() -> list[str]:
    """Returns the characters at which Python's `str.split` splits."""
    return [character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()]


@cache
def _lower_case() -> tuple[np.ndarray, dict[str, str]]:
    """Returns the small letter of each code point up to the last capital, and of those that become several."""
    pairs = {code: chr(code).lower() for code in range(sys.maxunicode + 1)}
    changed = {code: small for code, small in pairs.items() if small != chr(code)}
    simple = np.arange(max(changed) + 1, dtype=np.int32)
    for code, small in changed.items():
        if len(small) == 1:
            simple[code] = ord(small)
    return simple, {chr(code): small for code, small in changed.items() if len(small) > 1}


def _utf8(word: str) -> bytes:
    """Returns a word's bytes; one with lone surrogates gets bytes that no valid text has."""
    return word.encode("utf-8", "surrogatepass")
