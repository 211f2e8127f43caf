"""The model of a language: embedding → causal encoder → softmax, its state carried on from window to window.

Source: Press & Wolf 2017 (tied embeddings), https://arxiv.org/abs/1608.05859.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from textseq.encoder import Encoder
from textseq.layers.embedding import TokenEmbedding
from textseq.layers.softmax import AdaptiveSoftmax, FullSoftmax
from textseq.model import TextModel


class LanguageModel(TextModel):
    """Embedding → causal encoder → (projection) → dropout → softmax over the vocabulary.

    `call` gives the vectors before the softmax, for the loss never needs all logits at once.

    Args:
        embedding: Token embedding.
        encoder: A causal encoder.
        vocabulary_size: Tokens.
        tied: Whether the softmax uses the embedding's table.
        dropout: Fraction of the vectors before the softmax dropped in training.
        cutoffs: The first id of each cluster of an adaptive softmax; none for a full one.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        tied: bool,
        dropout: float,
        cutoffs: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(embedding, encoder, **kwargs)
        self.tied = tied
        self.dropout = keras.layers.Dropout(dropout)
        same = not tied or embedding.units == encoder.units
        self.projection = None if same else keras.layers.Dense(embedding.units, use_bias=False, name="projection")
        own = None if tied else encoder.units
        if cutoffs:
            self.softmax: Any = AdaptiveSoftmax(vocabulary_size, own, cutoffs=cutoffs, name="softmax")
            self.softmax = self.softmax.tie(embedding.units) if tied else self.softmax
        else:
            self.softmax = FullSoftmax(vocabulary_size, own, name="softmax")
        self.carried: list[Any] = []

    def carry_state(self, rows: int) -> None:
        """Makes the variables that hold the encoder's state from one training window to the next.

        Args:
            rows: Rows of a training batch.
        """
        # A state may be as wide as the inputs, which an encoder knows once its weights are made.
        _Encoding(self.embedding, self.encoder, name=self.name).ensure_built({"token_ids": np.ones((2, 4), np.int32)})
        state = self.encoder.get_initial_state(rows)
        self._state_structure = state
        for i, part in enumerate(tree.flatten(state)):
            dtype = keras.backend.standardize_dtype(part.dtype)
            self.carried.append(
                self.add_weight(
                    shape=tuple(part.shape),
                    dtype=dtype,
                    initializer="zeros",
                    trainable=False,
                    autocast=False,
                    name=f"carried_{i}",
                )
            )

    def call(self, batch: Any, training: bool | None = None) -> Any:
        """Returns the vectors before the softmax, carrying the state on where the batch says `reset`.

        Windows are full but for the last of a stream, whose end no target and no later window sees: there is no mask.

        Args:
            batch: `token_ids` (batch, time); `reset` (batch,), 1 where a row begins a new stream.
            training: Whether dropout is on.

        Returns:
            `(batch, time, features)`.
        """
        if not (self.carried and "reset" in batch):
            return self._hidden(self.encode(batch, padded=False, training=training)[0], training)
        initial = tree.flatten(self.encoder.get_initial_state(self.carried[0].shape[0]))
        state = [_restarted(old, new, batch["reset"]) for old, new in zip(self.carried, initial, strict=True)]
        state = tree.pack_sequence_as(self._state_structure, state)
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, padded=False, training=training)
        for variable, value in zip(self.carried, tree.flatten(state), strict=True):
            variable.assign(ops.stop_gradient(ops.cast(value, variable.dtype)))
        return self._hidden(encoded, training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Returns the mean negative log-likelihood of the targets in nats a token."""
        rows = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        weights = ops.reshape(sample_weight, (-1,))
        weights = weights / ops.maximum(ops.sum(weights), 1.0)  # here, or gradients as large as the table are divided
        jit = self.jit_compile
        return self.softmax.weighted_loss(rows, ops.reshape(y, (-1,)), weights, self._table(), jit=jit)

    def advance(self, batch: Any, state: Any, *, padded: bool = True) -> tuple[Any, Any]:
        """Runs on from `state` without training.

        Args:
            batch: `token_ids` (batch, time).
            state: The encoder's.
            padded: Whether rows may end in padding that the state must not see.

        Returns:
            The vectors before the softmax `(batch, time, features)`, and the state after the last real token.
        """
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, padded=padded, training=False)
        return self._hidden(encoded, training=False), state

    def negative_log_likelihood(self, hidden: Any, targets: Any) -> Any:
        """Returns nats of each target. `(batch, time)`."""
        rows = ops.reshape(hidden, (-1, hidden.shape[-1]))
        nll = self.softmax.losses_of(rows, ops.reshape(targets, (-1,)), self._table())
        return ops.reshape(nll, ops.shape(targets))

    def logits(self, hidden: Any) -> Any:
        """Returns the next token's log-probabilities for vectors `(batch, features)`. `(batch, vocabulary)`."""
        return self.softmax.log_probabilities(hidden, self._table())

    def save_own_variables(self, store: Any) -> None:
        """Keeps nothing: the carried state belongs to the training, not to the model."""

    def load_own_variables(self, store: Any) -> None:
        """Reads nothing, as nothing was kept."""

    def _table(self) -> Any:
        return self.embedding.embeddings if self.tied else None

    def _hidden(self, encoded: Any, training: Any) -> Any:
        projected = encoded if self.projection is None else self.projection(encoded)
        return self.dropout(projected, training=training)


class _Encoding(TextModel):
    """Embedding → encoder: all that has to be there before a state is asked for."""

    def call(self, batch: Any, training: bool | None = None) -> Any:
        """Returns the encoder's outputs. `(batch, time, units)`."""
        return self.encode(batch, padded=False, training=training)[0]


def _restarted(carried: Any, initial: Any, reset: Any) -> Any:
    """Returns the carried state, and the initial one in the rows that begin a new stream."""
    fresh = ops.reshape(reset > 0.5, (-1,) + (1,) * (len(carried.shape) - 1))
    return ops.where(fresh, initial, ops.convert_to_tensor(carried))
