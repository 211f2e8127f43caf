"""What a task is: how batches are made, which head and loss they meet, and which scores count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from textseq.config import RunConfig
from textseq.data.encoded import EncodedTexts
from textseq.data.labels import Labels
from textseq.data.shards import WHOLE, Shard
from textseq.data.sources import Splits
from textseq.data.tokenizers.base import Tokenizer
from textseq.encoder import Encoder
from textseq.errors import UsageError, problem
from textseq.model import TextModel
from textseq.tasks.rows import RowRecord

Batch = dict[str, np.ndarray]
Progress = Callable[[int, int], None]


class Batches(Protocol):
    """An endless supply of epochs whose order is a pure function of (seed, epoch, step)."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches in an epoch; None where only the end of a stream tells."""

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yields the batches of one epoch from `first_step` on."""


@dataclass(frozen=True)
class EncodedSplit:
    """One split, tokenised.

    Attributes:
        name: "train", "validation" or "test".
        dataset: The rows as they were read; of a streamed split, its first ones, as of all below.
        texts: Token ids of the text column.
        pair: Token ids of the second text column, for pairs.
        targets: Encoded labels, for classification.
        stream: All rows, where they are streamed.
    """

    name: str
    dataset: Any
    texts: EncodedTexts
    pair: EncodedTexts | None = None
    targets: np.ndarray | None = None
    stream: Any = None

    def head(self, rows: int = 2, tokens: int = 16) -> EncodedSplit:
        """Returns the first tokens of the first rows: enough to see what scores there are."""
        count = min(rows, len(self.texts))

        def cut(texts: EncodedTexts) -> EncodedTexts:
            return EncodedTexts.from_lists([texts.row(row)[:tokens] for row in range(count)])

        pair = None if self.pair is None else cut(self.pair)
        targets = None if self.targets is None else self.targets[:count]
        return EncodedSplit(self.name, self.dataset.select(range(count)), cut(self.texts), pair, targets)


@dataclass(frozen=True)
class Prepared:
    """A dataset ready to train on, and what was learned from it.

    Attributes:
        config: The run's config.
        tokenizer: Fitted on the train split.
        labels: The classes; None for tasks without.
        splits: By name; "train" always, "validation" and "test" where there are any.
        audit: What `textseq.data.audit` found.
        shard: The rows of each training batch that this process makes.
    """

    config: RunConfig
    tokenizer: Tokenizer
    labels: Labels | None
    splits: Mapping[str, EncodedSplit]
    audit: Mapping[str, Any] = field(default_factory=dict)
    shard: Shard = WHOLE


class Task:
    """Base class of every task; a subclass is registered with `@tasks.register("name")`.

    Attributes:
        causal: Whether the encoder must not see the future, when the config does not say.
        monitor: The validation score that decides which weights are best.
        monitor_mode: "max" or "min".
        labelled: Whether it learns classes, without which a run of it is not whole.
    """

    causal: ClassVar[bool] = False
    monitor: ClassVar[str] = "loss"
    monitor_mode: ClassVar[str] = "min"
    labelled: ClassVar[bool] = False

    def prepare(
        self, config: RunConfig, splits: Splits, tokenizer: Tokenizer, *, labels: Labels | None = None
    ) -> Prepared:
        """Tokenises the splits and learns what the head needs to know (class names).

        Args:
            config: The run's config.
            splits: What `load_splits` returned.
            tokenizer: Fitted.
            labels: The classes of a run that is being evaluated; None to learn them from the train split.
        """
        raise TypeError(f"{type(self).__name__} defines no prepare.")

    def build_model(self, config: RunConfig, vocabulary_size: int, labels: Labels | None) -> TextModel:
        """Makes the model with fresh weights, built."""
        raise TypeError(f"{type(self).__name__} defines no build_model.")

    def begin(self, model: TextModel, prepared: Prepared) -> None:
        """Sets what fresh weights may know from the train split before any step; by default nothing."""

    def training_batches(self, prepared: Prepared) -> Batches:
        """Returns the training batches of the train split."""
        raise TypeError(f"{type(self).__name__} defines no training_batches.")

    def fit_arguments(self, batch: Batch) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Splits a batch into the `(x, y, sample_weight)` of `keras.Model.fit`."""
        raise TypeError(f"{type(self).__name__} defines no fit_arguments.")

    def compile_arguments(self, labels: Labels | None) -> dict[str, Any]:
        """Returns the loss and metrics for `keras.Model.compile`."""
        raise TypeError(f"{type(self).__name__} defines no compile_arguments.")

    def evaluate(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Scores `model` on a whole split; JSON-serialisable."""
        raise TypeError(f"{type(self).__name__} defines no evaluate.")

    def evaluate_rows(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> tuple[dict[str, Any], RowRecord | None]:
        """Scores as `evaluate` does, and returns what reports and comparisons need of each row; None for nothing."""
        return self.evaluate(model, split, prepared, progress), None


def streamed_steps(config: RunConfig) -> int:
    """Returns the batches of an epoch over a stream.

    Raises:
        UsageError: The config does not say how many.
    """
    steps = config.training.steps_per_epoch
    if steps is None:
        wrong = "must be set with data.streaming, for a stream does not say how long it is"
        raise UsageError(problem("training.steps_per_epoch", wrong, received=steps))
    return steps


def build_encoder(config: RunConfig, *, causal: bool) -> Encoder:
    """Makes the encoder that the config names.

    Args:
        config: The run's config.
        causal: What the task wants where the config does not say.
    """
    from textseq.registry import encoders

    arguments = {"causal": causal, **config.encoder.arguments}
    return encoders.get(config.encoder.name)(**arguments)
