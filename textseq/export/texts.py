"""From strings to padded token ids inside a TensorFlow graph, as `textseq.data.batches` does it with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from textseq.data.batches import Truncate
from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer

Encode = Callable[[Any], Any]


def encoder_of(tokenizer: Tokenizer, keep: Callable[[Any], None]) -> Encode:
    """Returns a function of strings `(batch,)` that gives ragged ids; one graph that all signatures share.

    Bytes that are no UTF-8 are read as Python's `bytes.decode("utf-8", "replace")` reads them, before any tokenizer
    sees them.

    Args:
        tokenizer: Fitted.
        keep: Takes what a SavedModel must hold: tables.
    """
    in_graph = kept(tokenizer.graph_encoder(), keep)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def encode(texts: Any) -> Any:
        ids = in_graph(valid(texts))
        return tf.cast(ids.values, tf.int32), tf.cast(ids.row_splits, tf.int64)

    return lambda texts: tf.RaggedTensor.from_row_splits(*encode(texts), validate=False)


def kept(function: Callable[[Any], Any], keep: Callable[[Any], None]) -> Callable[[Any], Any]:
    """Returns the function, after handing on the `tf.Module` that it is a method of, if it is one."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, tf.Module):
        keep(owner)
    return function


def valid(texts: Any) -> Any:
    """Returns valid UTF-8: U+FFFD in the place of what is none. `(batch,)`."""
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def padded(ids: Any, max_length: int, truncate: Truncate) -> tuple[Any, Any]:
    """Returns rows cut to `max_length` and padded at the right, and their lengths.

    An empty text becomes one unknown token.

    Args:
        ids: `(batch, None)` ragged, int32.
        max_length: Tokens at most.
        truncate: Which end goes.

    Returns:
        `token_ids` (batch, time) and `length` (batch,), both int32; time is 1 at least.
    """
    lengths = ids.row_lengths()
    kept = tf.minimum(lengths, max_length)
    columns = _columns(kept)
    places = _places(ids.row_starts(), lengths, kept, columns, truncate)
    count = tf.size(ids.values, tf.int64)
    places = tf.where(columns < kept[:, None], places, count)
    places = tf.where((columns == 0) & (kept == 0)[:, None], count + 1, places)
    return _picked(ids.values, [PAD_ID, UNKNOWN_ID], places), tf.cast(tf.maximum(kept, 1), tf.int32)


def padded_pairs(first: Any, second: Any, max_length: int, truncate: Truncate) -> tuple[Any, Any, Any]:
    """Returns rows of first text, end token and second text; the longer of a pair is cut first.

    Returns:
        `token_ids` and `segment_ids` (batch, time), 1 at the second text, and `length` (batch,), all int32.
    """
    room = max(max_length - 1, 2)
    lengths = first.row_lengths(), second.row_lengths()
    keep_first = tf.minimum(lengths[0], tf.maximum(room - lengths[1], room - room // 2))
    keep_second = tf.minimum(lengths[1], room - keep_first)
    kept = keep_first + 1 + keep_second
    columns = _columns(kept)
    begin = keep_first[:, None] + 1  # (batch, 1): where the second text begins
    count = tf.size(first.values, tf.int64)
    in_first = _places(first.row_starts(), lengths[0], keep_first, columns, truncate)
    in_second = count + _places(second.row_starts(), lengths[1], keep_second, columns - begin, truncate)
    places = tf.where(columns < begin - 1, in_first, in_second)
    total = count + tf.size(second.values, tf.int64)
    places = tf.where(columns == begin - 1, total + 1, places)
    places = tf.where(columns < kept[:, None], places, total)
    token_ids = _picked(tf.concat([first.values, second.values], 0), [PAD_ID, END_ID], places)
    segment_ids = tf.cast((columns >= begin) & (token_ids != PAD_ID), tf.int32)
    return token_ids, segment_ids, tf.cast(kept, tf.int32)


def framed(ids: Any, *, end: bool) -> Any:
    """Returns the start token, the ids and, where wanted, the end token, padded at the right. `(batch, time)`."""
    lengths = ids.row_lengths()
    columns = _columns(lengths + (2 if end else 1))
    count = tf.size(ids.values, tf.int64)
    places = ids.row_starts()[:, None] + columns - 1
    behind = tf.where((columns == lengths[:, None] + 1) & end, count + 2, count)
    places = tf.where(columns <= lengths[:, None], places, behind)
    places = tf.where(columns == 0, count + 1, places)
    return _picked(ids.values, [PAD_ID, START_ID, END_ID], places)


def _columns(lengths: Any) -> Any:
    """Returns the numbers of the columns that rows of these lengths need, one at least. `(1, time)`."""
    return tf.range(tf.reduce_max(tf.concat([lengths, [1]], 0)))[None]


def _places(starts: Any, lengths: Any, kept: Any, columns: Any, truncate: Truncate) -> Any:
    """Returns where in the values each column's token stands, of rows cut to `kept`. `(batch, time)`."""
    at_start = starts[:, None] + columns
    if truncate == "end":
        return at_start
    at_end = at_start + (lengths - kept)[:, None]
    if truncate == "start":
        return at_end
    head = (kept + 1) // 2
    return tf.where(columns < head[:, None], at_start, at_end)


def _picked(values: Any, special: list[int], places: Any) -> Any:
    """Returns the values at some places; the special ids stand behind the last value."""
    return tf.gather(tf.concat([values, tf.constant(special, tf.int32)], 0), places)
