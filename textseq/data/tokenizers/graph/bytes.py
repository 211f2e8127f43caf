"""Bytes of UTF-8 inside a TensorFlow graph."""

from __future__ import annotations

from typing import Any


def encode_bytes(texts: Any, first_id: int) -> Any:
    """Returns the ids of each text. `(batch, None)` ragged, int32.

    Args:
        texts: Valid UTF-8. `(batch,)`
        first_id: The id of byte 0.
    """
    import tensorflow as tf

    values = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
    lengths = tf.strings.length(texts)
    return tf.RaggedTensor.from_row_lengths(tf.cast(values, tf.int32) + first_id, lengths, validate=False)


def decode_bytes(token_ids: Any, first_id: int) -> Any:
    """Returns the text of each row; bytes that are no UTF-8 become U+FFFD as Python makes them. `(batch,)`."""
    import tensorflow as tf

    spellings = tf.constant([bytes([value]) for value in range(256)])
    real = tf.ragged.boolean_mask(token_ids, token_ids >= first_id)
    texts = tf.strings.reduce_join(tf.gather(spellings, real - first_id), axis=1)
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
