"""The model of a language: embedding → causal encoder → softmax, its state carried on from window to window.

Source: Press & Wolf 2017 (tied embeddings), https://arxiv.org/abs/1608.05859.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops, tree

from textseq.encoder import Encoder
from textseq.layers.embedding import TokenEmbedding
from textseq.layers.losses import softmax_cross_entropy, weighted_softmax_cross_entropy
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
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: Encoder,
        *,
        vocabulary_size: int,
        tied: bool,
        dropout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(embedding, encoder, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.tied = tied
        self.dropout = keras.layers.Dropout(dropout)
        same = not tied or embedding.units == encoder.units
        self.projection = None if same else keras.layers.Dense(embedding.units, use_bias=False, name="projection")
        width = embedding.units if tied else encoder.units
        self.output_bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="output_bias")
        self.output_kernel = (
            None
            if tied
            else self.add_weight(shape=(vocabulary_size, width), initializer="glorot_uniform", name="output_kernel")
        )
        self.carried: list[Any] = []

    def carry_state(self, rows: int) -> None:
        """Makes the variables that hold the encoder's state from one training window to the next.

        Args:
            rows: Rows of a training batch.
        """
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

        Args:
            batch: `token_ids` (batch, time); `reset` (batch,), 1 where a row begins a new stream.
            training: Whether dropout is on.

        Returns:
            `(batch, time, features)`.
        """
        if not (self.carried and "reset" in batch):
            return self._hidden(self.encode(batch, training=training)[0], training)
        initial = tree.flatten(self.encoder.get_initial_state(self.carried[0].shape[0]))
        state = [_restarted(old, new, batch["reset"]) for old, new in zip(self.carried, initial, strict=True)]
        state = tree.pack_sequence_as(self._state_structure, state)
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, training=training)
        for variable, value in zip(self.carried, tree.flatten(state), strict=True):
            variable.assign(ops.stop_gradient(ops.cast(value, variable.dtype)))
        return self._hidden(encoded, training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Returns the mean negative log-likelihood of the targets in nats a token."""
        rows = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        weights = ops.reshape(sample_weight, (-1,))
        kernel, bias = self.softmax_weights()
        total = weighted_softmax_cross_entropy(rows, kernel, bias, ops.reshape(y, (-1,)), weights)
        return total / ops.maximum(ops.sum(weights), 1.0)

    def softmax_weights(self) -> tuple[Any, Any]:
        """Returns the softmax's kernel `(vocabulary, features)` and bias `(vocabulary,)`."""
        kernel = self.embedding.embeddings if self.tied else self.output_kernel
        return ops.convert_to_tensor(kernel), ops.convert_to_tensor(self.output_bias)

    def advance(self, batch: Any, state: Any) -> tuple[Any, Any]:
        """Runs on from `state` without training.

        Returns:
            The vectors before the softmax `(batch, time, features)`, and the state after the last real token.
        """
        encoded, _, state = self.encode(batch, initial_state=state, return_state=True, training=False)
        return self._hidden(encoded, training=False), state

    def negative_log_likelihood(self, hidden: Any, targets: Any) -> Any:
        """Returns nats of each target. `(batch, time)`."""
        kernel, bias = self.softmax_weights()
        rows = ops.reshape(hidden, (-1, hidden.shape[-1]))
        nll = softmax_cross_entropy(rows, kernel, bias, ops.reshape(targets, (-1,)))
        return ops.reshape(nll, ops.shape(targets))

    def logits(self, hidden: Any) -> Any:
        """Returns the logits of the next token for vectors `(batch, features)`. `(batch, vocabulary)`."""
        kernel, bias = self.softmax_weights()
        hidden, kernel = ops.cast(hidden, "float32"), ops.cast(kernel, "float32")
        return ops.matmul(hidden, ops.transpose(kernel)) + ops.cast(bias, "float32")

    def save_own_variables(self, store: Any) -> None:
        """Keeps the softmax's own weights; the carried state belongs to the training, not to the model."""
        store["output_bias"] = self.output_bias
        if self.output_kernel is not None:
            store["output_kernel"] = self.output_kernel

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote."""
        self.output_bias.assign(store["output_bias"])
        if self.output_kernel is not None:
            self.output_kernel.assign(store["output_kernel"])

    def _hidden(self, encoded: Any, training: Any) -> Any:
        projected = encoded if self.projection is None else self.projection(encoded)
        return self.dropout(projected, training=training)


def _restarted(carried: Any, initial: Any, reset: Any) -> Any:
    """Returns the carried state, and the initial one in the rows that begin a new stream."""
    fresh = ops.reshape(reset > 0.5, (-1,) + (1,) * (len(carried.shape) - 1))
    return ops.where(fresh, initial, ops.convert_to_tensor(carried))
