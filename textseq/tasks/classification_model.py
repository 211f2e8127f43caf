"""A classifier of texts: what is between token ids and one logit a class."""

from __future__ import annotations

from typing import Any

import keras

from textseq.encoder import Encoder
from textseq.layers.embedding import TokenEmbedding
from textseq.layers.ngrams import NgramScores
from textseq.layers.pooling import Pooling
from textseq.model import TextModel


class ClassificationModel(TextModel):
    """Embedding → encoder → pooling → dropout → one logit a class, and beside it what n-grams give to each.

    Args:
        embedding: Token (and segment) embedding.
        encoder: Any encoder.
        classes: Number of classes.
        pooling: How the steps become one vector.
        dropout: Fraction of the pooled vector dropped in training.
        ngrams: Tokens of the longest n-grams that have scores of their own; 0 where none has.
        ngram_rate: What their sums are multiplied by.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        *,
        classes: int,
        pooling: Any,
        dropout: float,
        ngrams: int = 0,
        ngram_rate: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(embedding, encoder, **kwargs)
        self.pooling = Pooling(pooling, bidirectional=not encoder.causal)
        self.dropout = keras.layers.Dropout(dropout)
        self.logits = keras.layers.Dense(classes, dtype="float32")
        self.ngrams = NgramScores(classes, ngrams, ngram_rate) if ngrams else None

    def call(self, batch: Any, training: bool | None = None) -> Any:
        """Returns the logits. `(batch, classes)`."""
        encoded, mask, _ = self.encode(batch, training=training)
        logits = self.classify(encoded, mask, training=training)
        return logits if self.ngrams is None else logits + self.ngrams(batch["token_ids"], training=training)

    def classify(self, encoded: Any, mask: Any, training: bool | None = None) -> Any:
        """Returns the logits `(batch, classes)` of what the encoder made, `(batch, time, units)`, without n-grams."""
        pooled = self.pooling(encoded, mask=mask)  # (batch, units)
        return self.logits(self.dropout(pooled, training=training))
