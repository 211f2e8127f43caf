"""A softmax over the whole vocabulary, with a table of its own or with the embedding's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.layers.softmax.cross_entropy import softmax_cross_entropy, weighted_softmax_cross_entropy
from textseq.layers.softmax.frequencies import log_frequencies


class FullSoftmax(keras.layers.Layer):
    """One logit a token.

    Args:
        vocabulary_size: Tokens.
        features: Width of the vectors that come in; None where the embedding's table is handed to each call.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        native_refusal: Why training does not use what is compiled for this processor; None where it does.
    """

    def __init__(self, vocabulary_size: int, features: int | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.native_refusal: str | None = "training did not ask for it"
        self.bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="bias", autocast=False)
        self.kernel = None
        if features is not None:
            self.kernel = self.add_weight(
                shape=(vocabulary_size, features), initializer="glorot_uniform", name="kernel", autocast=False
            )
        self.built = True

    def begin_at(self, counts: np.ndarray) -> None:
        """Sets the biases, so that a first guess follows how often tokens occur.

        Args:
            counts: Of each token in the training text. `(vocabulary,)`
        """
        self.bias.assign(log_frequencies(counts))

    def weighted_loss(self, hidden: Any, targets: Any, weights: Any, table: Any = None, *, jit: bool = False) -> Any:
        """Returns the weighted sum of the targets' negative log-likelihoods in nats, for training; a scalar.

        Args:
            hidden: `(rows, features)`
            targets: Token ids. `(rows,)`
            weights: Of each row. `(rows,)`
            table: The embedding's `(vocabulary, features)`, where this layer has none.
            jit: Whether XLA compiles this as a part of something larger.
        """
        natively = self.native_refusal is None
        return weighted_softmax_cross_entropy(
            hidden, *self._weights(table), targets, weights, jit=jit, natively=natively
        )

    def losses_of(self, hidden: Any, targets: Any, table: Any = None) -> Any:
        """Returns each target's negative log-likelihood in nats. `(rows,)`."""
        return softmax_cross_entropy(hidden, *self._weights(table), targets)

    def log_probabilities(self, hidden: Any, table: Any = None) -> Any:
        """Returns those of every token. `(rows, vocabulary)`, float32."""
        kernel, bias = self._weights(table)
        logits = ops.matmul(ops.cast(hidden, "float32"), ops.transpose(ops.cast(kernel, "float32")))
        return ops.log_softmax(logits + ops.cast(bias, "float32"))

    def _weights(self, table: Any) -> tuple[Any, Any]:
        return ops.convert_to_tensor(table if self.kernel is None else self.kernel), ops.convert_to_tensor(self.bias)
