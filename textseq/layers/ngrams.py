"""Scores that a text's n-grams give to classes on their own: a linear model, trained together with the encoder."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.variables import rows_of

_ROWS = 65_521  # of each length; a prime
_FACTOR = 251  # times a row's number it stays below 2**24: OpenVINO multiplies integers as float32
_DROPPED = 0.3


class NgramScores(keras.layers.Layer):
    """Adds up what a text's n-grams, 1 to `longest` tokens long, give to each class.

    An n-gram's scores are a row of a table that it finds by hashing, so that no list of n-grams is kept (Weinberger et
    al. 2009, https://arxiv.org/abs/0902.2206; with n-grams Joulin et al. 2017, https://arxiv.org/abs/1607.01759). Each
    length has rows of its own, and two of the 250 lowest ids, which tokenizers give to frequent tokens, share none with
    two others. A text of n n-grams has 1/√n of each: a vector of length 1, as the rows of TF-IDF have. Scores begin at
    0.

    Args:
        classes: Columns of the table.
        longest: Tokens of the longest n-grams, 1 or more.
        rate: What the sums are multiplied by: as if the table's learning rate were as many times the encoder's, whose
            optimizer it shares.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, classes: int, longest: int, rate: float = 1.0, **kwargs: Any) -> None:
        super().__init__(autocast=False, dtype="float32", **kwargs)
        self.longest, self.rate = longest, rate
        self.seed_generator = keras.random.SeedGenerator()
        self.table = self.add_weight(
            name="table", shape=(longest * _ROWS, classes), initializer="zeros", autocast=False
        )
        self.built = True

    def call(self, token_ids: Any, training: bool | None = None) -> Any:
        """Returns the sums `(batch, classes)` for ids `(batch, time)`, 0 at padding; in training some are left out."""
        rows, weights = self._found(token_ids)
        if training:
            kept = keras.random.uniform(ops.shape(weights), seed=self.seed_generator) >= _DROPPED
            weights = weights * ops.cast(kept, weights.dtype) / (1.0 - _DROPPED)
        return ops.sum(rows_of(self.table, rows) * weights[..., None], axis=1)

    def shares(self, token_ids: Any) -> Any:
        """Returns each token's share in the sums, an n-th of every n-gram that it is in. `(batch, time, classes)`."""
        rows, weights = self._found(token_ids)
        scores = ops.split(rows_of(self.table, rows) * weights[..., None], self.longest, axis=1)
        found = ops.zeros_like(scores[0])
        for length, of_beginnings in enumerate(scores, start=1):
            for _ in range(length):
                found = found + of_beginnings / length
                of_beginnings = ops.concatenate([ops.zeros_like(of_beginnings[:, :1]), of_beginnings[:, :-1]], axis=1)
        return found

    def _found(self, token_ids: Any) -> tuple[Any, Any]:
        """Returns the n-grams' rows and weights, first those of one token, by where they begin. `(batch, n·time)`."""
        ids = ops.cast(token_ids, "int32")
        row, real, rows, reals = ops.zeros_like(ids), ops.ones_like(ids, dtype="bool"), [], []
        for shorter in range(self.longest):
            row = ops.mod(row * _FACTOR + ops.mod(ids, _ROWS), _ROWS)
            real = ops.logical_and(real, ids > 0)
            rows.append(shorter * _ROWS + row)
            reals.append(real)
            ids = ops.concatenate([ids[:, 1:], ops.zeros_like(ids[:, :1])], axis=1)
        counted = ops.cast(ops.concatenate(reals, axis=1), "float32")
        number = ops.sum(counted, axis=1, keepdims=True)
        return ops.concatenate(rows, axis=1), counted * self.rate / ops.sqrt(ops.maximum(number, 1.0))
