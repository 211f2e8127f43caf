"""Token ids, and which text of a pair they belong to, as vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from textseq.layers.variables import rows_of

_UNKNOWN_ID = 1
_SPREAD = 0.05


class TokenEmbedding(keras.layers.Layer):
    """Looks up a vector for each token.

    Args:
        vocabulary_size: Rows of the table.
        units: Width of the vectors.
        segments: Whether a vector for the first or second text is added.
        dropout: Fraction of the vectors' entries dropped in training.
        word_dropout: Fraction of the tokens replaced by the unknown token in training, which then gets a meaning and
            keeps the model from leaning on single words.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int,
        *,
        segments: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.vocabulary_size, self.units, self.segments = vocabulary_size, units, segments
        self.word_dropout = word_dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.seed_generator = keras.random.SeedGenerator()
        self.passes_ids = False
        initializer = keras.initializers.RandomUniform(-_SPREAD, _SPREAD)
        self.embeddings = self.add_weight(
            name="embeddings", shape=(vocabulary_size, units), initializer=initializer, autocast=False
        )
        self.segment_embeddings = (
            self.add_weight(name="segment_embeddings", shape=(2, units), initializer=initializer, autocast=False)
            if segments
            else None
        )
        self.built = True

    def call(self, batch: Mapping[str, Any], training: bool | None = None) -> Any:
        """Returns the vectors of `token_ids` (and `segment_ids`). `(batch, time, units)`.

        Where `passes_ids` is set, for an encoder that looks them up itself, it returns `token_ids`. `(batch, time)`
        """
        token_ids = batch["token_ids"]
        if self.passes_ids:
            return token_ids
        if training and self.word_dropout:
            draw = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator)
            drop = ops.logical_and(draw < self.word_dropout, token_ids > 0)
            token_ids = ops.where(drop, ops.full_like(token_ids, _UNKNOWN_ID), token_ids)
        vectors = ops.cast(rows_of(self.embeddings, token_ids), self.compute_dtype)
        if self.segment_embeddings is not None:
            segments = ops.take(self.segment_embeddings, batch["segment_ids"], axis=0)
            vectors = vectors + ops.cast(segments, self.compute_dtype)
        return self.dropout(vectors, training=training)
