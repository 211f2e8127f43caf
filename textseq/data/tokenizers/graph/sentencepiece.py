"""SentencePiece inside a TensorFlow graph, by TensorFlow Text's op over the run's own model file.

The tokenizer is made inside the traced function: made outside, it is a resource that `tf.random.set_seed` and
`clear_session` destroy (tensorflow/text#570). `FastSentencepieceTokenizer` is no substitute; its ids differ for BPE and
byte fallback.
"""

from __future__ import annotations

from typing import Any

from textseq.data.tokenizers.base import END_ID, UNKNOWN_ID


def encode_pieces(texts: Any, model: bytes) -> Any:
    """Returns the ids of each text. `(batch, None)` ragged, int32."""
    return _tokenizer(model).tokenize(texts)


def decode_pieces(token_ids: Any, model: bytes) -> Any:
    """Returns the text of each row `(batch, None)`, ragged; special ids but the unknown have none. `(batch,)`."""
    import tensorflow as tf

    spelled = tf.ragged.boolean_mask(token_ids, (token_ids > END_ID) | (token_ids == UNKNOWN_ID))
    return _tokenizer(model).detokenize(spelled)


def _tokenizer(model: bytes) -> Any:
    import tensorflow as tf
    import tensorflow_text

    return tensorflow_text.SentencepieceTokenizer(model=model, out_type=tf.int32)
