"""A softmax in levels: the commonest tokens first, rarer ones in clusters that only their own rows pay for.

Source: Grave et al. 2017, https://arxiv.org/abs/1609.04309. Here a cluster's vectors keep their full width where they
are the embedding's, which costs little, for few rows reach the clusters, and spares what narrow ones lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.errors import UsageError, problem
from textseq.layers.softmax.cross_entropy import softmax_cross_entropy, weighted_softmax_cross_entropy
from textseq.layers.softmax.frequencies import log_frequencies
from textseq.layers.softmax.native import native_adaptive_loss
from textseq.layers.variables import as_tensor


class AdaptiveSoftmax(keras.layers.Layer):
    """The probability of a rare token is that of its cluster times its own inside the cluster.

    Where its table is the embedding's, training takes what is compiled for this processor, if anything is. Else it is
    quick on TensorFlow only: JAX, whose shapes are fixed, computes every cluster for every row.

    Args:
        vocabulary_size: Tokens, the commonest with the lowest ids.
        features: Width of the vectors that come in; None where the embedding's table is handed to each call.
        cutoffs: The first id of each cluster, rising.
        reduction: By how much each cluster's vectors are narrower than the level's before, with a table of its own.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        native_refusal: Why training does not use what is compiled for this processor; None where it does.

    Raises:
        UsageError: The cutoffs do not rise, or are not inside the vocabulary.
    """

    def __init__(
        self,
        vocabulary_size: int,
        features: int | None = None,
        *,
        cutoffs: Sequence[int],
        reduction: float = 4.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        edges = [0, *cutoffs, vocabulary_size]
        if len(edges) < 3 or any(low >= high for low, high in pairwise(edges)):
            wrong = f"must rise, above 0 and below the vocabulary of {vocabulary_size:,}"
            raise UsageError(problem("task.cutoffs", wrong, received=list(cutoffs)))
        self.vocabulary_size, self.cutoffs = vocabulary_size, tuple(cutoffs)
        self.native_refusal: str | None = "training did not ask for it"
        self.clusters = list(pairwise(edges[1:]))  # (first id, id after the last)
        self.bias = self._weight("bias", (vocabulary_size,), "zeros")
        self.cluster_bias = self._weight("cluster_bias", (len(self.clusters),), "zeros")
        self.cluster_kernel: Any = None
        self.kernel: Any = None
        self.projections: list[Any] = []
        self.tails: list[Any] = []
        self._reduction = reduction
        if features is not None:
            self.kernel = self._weight("kernel", (edges[1], features))
            self._make_tails(features)
        self.built = True

    def tie(self, features: int) -> AdaptiveSoftmax:
        """Makes what is needed beside the embedding's table: a vector for each cluster."""
        self.cluster_kernel = self._weight("cluster_kernel", (len(self.clusters), features))
        return self

    def begin_at(self, counts: np.ndarray) -> None:
        """Sets the biases, so that a first guess follows how often tokens occur.

        Args:
            counts: Of each token in the training text. `(vocabulary,)`
        """
        common, rare = counts[: self.cutoffs[0]], [counts[low:high] for low, high in self.clusters]
        first = log_frequencies(np.append(common, [part.sum() for part in rare]))
        self.bias.assign(np.concatenate([first[: len(common)], *(log_frequencies(part) for part in rare)]))
        self.cluster_bias.assign(first[len(common) :])

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
        if natively and self.kernel is None:
            clusters = as_tensor(self.cluster_kernel), as_tensor(self.cluster_bias)
            parts = as_tensor(table), as_tensor(self.bias), clusters, self.cutoffs
            return native_adaptive_loss(hidden, *parts, targets, weights)
        kernel, bias, tails = self._levels(table)
        how = {"jit": jit, "natively": natively}
        total = weighted_softmax_cross_entropy(hidden, kernel, bias, self._first_targets(targets), weights, **how)
        for (low, high), tail in zip(self.clusters, tails, strict=True):
            inside = ops.logical_and(targets >= low, targets < high)
            counted = ops.where(inside, weights, ops.zeros_like(weights))
            within = ops.clip(targets - low, 0, high - low - 1)
            total = total + _sum_over(hidden, within, counted, inside, tail, how)
        return total

    def losses_of(self, hidden: Any, targets: Any, table: Any = None) -> Any:
        """Returns each target's negative log-likelihood in nats. `(rows,)`."""
        kernel, bias, tails = self._levels(table)
        losses = softmax_cross_entropy(hidden, kernel, bias, self._first_targets(targets))
        for (low, high), tail in zip(self.clusters, tails, strict=True):
            inside = ops.logical_and(targets >= low, targets < high)
            within = ops.clip(targets - low, 0, high - low - 1)
            losses = _with_own(losses, hidden, within, inside, tail)
        return losses

    def log_probabilities(self, hidden: Any, table: Any = None) -> Any:
        """Returns those of every token. `(rows, vocabulary)`, float32."""
        kernel, bias, tails = self._levels(table)
        hidden = ops.cast(hidden, "float32")
        first = ops.log_softmax(ops.matmul(hidden, ops.transpose(ops.cast(kernel, "float32"))) + bias)
        parts = [first[:, : self.cutoffs[0]]]
        for number, (tail, tail_bias, projection) in enumerate(tails):
            rows = ops.cast(_projected(hidden, projection), "float32")
            own = ops.log_softmax(ops.matmul(rows, ops.transpose(ops.cast(tail, "float32"))) + tail_bias)
            place = self.cutoffs[0] + number
            parts.append(own + first[:, place : place + 1])
        return ops.concatenate(parts, -1)

    def _levels(self, table: Any) -> tuple[Any, Any, list[tuple[Any, Any, Any]]]:
        """Returns kernel and bias of the first level, and kernel, bias and projection of each cluster."""
        biases = ops.split(ops.convert_to_tensor(self.bias), list(self.cutoffs))
        bias = ops.concatenate([biases[0], ops.convert_to_tensor(self.cluster_bias)], 0)
        if self.kernel is not None:
            kernel = ops.convert_to_tensor(self.kernel)
            clusters = ops.convert_to_tensor(self.cluster_kernel)
            tails = list(zip(map(ops.convert_to_tensor, self.tails), biases[1:], self.projections, strict=True))
        else:
            parts = ops.split(ops.convert_to_tensor(table), list(self.cutoffs))
            kernel, clusters = parts[0], ops.convert_to_tensor(self.cluster_kernel)
            tails = [(part, part_bias, None) for part, part_bias in zip(parts[1:], biases[1:], strict=True)]
        return ops.concatenate([kernel, ops.cast(clusters, kernel.dtype)], 0), bias, tails

    def _first_targets(self, targets: Any) -> Any:
        """Returns the targets of the first level: a token's own id, or its cluster's."""
        first = targets
        for number, (low, _) in enumerate(self.clusters):
            first = ops.where(targets >= low, self.cutoffs[0] + number, first)
        return first

    def _make_tails(self, features: int) -> None:
        self.tie(features)
        width = float(features)
        for number, (low, high) in enumerate(self.clusters):
            width = max(width / self._reduction, 1.0)
            self.projections.append(self._weight(f"projection_{number}", (features, int(width))))
            self.tails.append(self._weight(f"tail_{number}", (high - low, int(width))))

    def _weight(self, name: str, shape: tuple[int, ...], initializer: str = "glorot_uniform") -> Any:
        return self.add_weight(shape=shape, initializer=initializer, name=name, autocast=False)


def _projected(hidden: Any, projection: Any) -> Any:
    return (
        hidden if projection is None else ops.matmul(hidden, ops.cast(ops.convert_to_tensor(projection), hidden.dtype))
    )


def _with_own(losses: Any, hidden: Any, targets: Any, inside: Any, tail: tuple[Any, Any, Any]) -> Any:
    """Returns the losses with those within a cluster added."""
    kernel, bias, projection = tail
    rows, (hidden, targets) = _own(inside, hidden, targets)
    own = softmax_cross_entropy(_projected(hidden, projection), kernel, bias, targets)
    if rows is None:
        return losses + ops.where(inside, own, ops.zeros_like(own))
    return ops.scatter_update(losses, rows[:, None], own, reduction="add")


def _sum_over(
    hidden: Any, targets: Any, weights: Any, inside: Any, tail: tuple[Any, Any, Any], how: dict[str, bool]
) -> Any:
    """Returns the summed loss of a cluster's rows; others have a weight of 0."""
    kernel, bias, projection = tail
    _, (hidden, targets, weights) = _own(inside, hidden, targets, weights)
    return weighted_softmax_cross_entropy(_projected(hidden, projection), kernel, bias, targets, weights, **how)


def _own(inside: Any, *parts: Any) -> tuple[Any, tuple[Any, ...]]:
    """Returns the numbers of a cluster's rows, and those rows of each part, so that no others cost anything.

    Elsewhere than on TensorFlow shapes are fixed: there None, and all rows.
    """
    if keras.backend.backend() != "tensorflow":
        return None, parts
    import tensorflow as tf

    rows = tf.where(inside)[:, 0]
    return rows, tuple(ops.take(part, rows, axis=0) for part in parts)
