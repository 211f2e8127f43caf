"""Classification of texts and of pairs of texts, with one label a row or any number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from keras import ops

from textseq.config import RunConfig
from textseq.data.batches import ClassificationBatches, evaluation_batches
from textseq.data.labels import Labels
from textseq.data.sources import Splits
from textseq.data.streams import StreamedClassificationBatches
from textseq.data.tokenizers.base import Tokenizer
from textseq.errors import UsageError, problem
from textseq.layers.embedding import TokenEmbedding
from textseq.model import TextModel, inference
from textseq.registry import tasks
from textseq.tasks.base import Batch, Batches, EncodedSplit, Prepared, Progress, Task, build_encoder, streamed_steps
from textseq.tasks.classification_model import ClassificationModel
from textseq.tasks.classified_rows import ClassifiedRows
from textseq.tasks.encoding import encode_splits
from textseq.tasks.metrics import ClassificationScores, MultiLabelScores
from textseq.tasks.rows import RowRecord

_EVALUATION_ROWS = 128


@tasks.register("classification")
class Classification(Task):
    """Assigns each text, or pair of texts, one of the dataset's classes (or several, where its labels are lists).

    Args:
        pooling: How the encoder's steps become one vector: the last step, the mean, the maximum or attention.
        dropout: Fraction of the pooled vector dropped in training, 0 to 1.
        label_smoothing: Probability taken from the right class and shared by all, 0 to 1.
        ngrams: Tokens of the longest n-grams that give each class a score of their own, beside the encoder: what a
            linear model finds in them the encoder need not learn. 0 for none.
        ngram_rate: How many times the encoder's learning rate those scores have, more than 0. Large ones fit the rows
            before the encoder does, which then learns less.
        max_length: Tokens a text is cut to.
        truncate: Which end of a longer text goes: "end", "start", or "middle" (head and tail stay).
        class_weights: "balanced" weighs each row by the inverse frequency of its class; "none" does not. For rows with
            one label each that are not streamed.
        threshold: Probability from which a class is predicted, where a row may have several.
    """

    causal: ClassVar[bool] = False
    monitor: ClassVar[str] = "accuracy"
    monitor_mode: ClassVar[str] = "max"
    labelled: ClassVar[bool] = True

    def __init__(
        self,
        *,
        pooling: Literal["last", "mean", "max", "attention"] = "max",
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        ngrams: int = 0,
        ngram_rate: float = 50.0,
        max_length: int = 512,
        truncate: Literal["end", "start", "middle"] = "end",
        class_weights: Literal["none", "balanced"] = "none",
        threshold: float = 0.5,
    ) -> None:
        self.pooling = pooling
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.ngrams, self.ngram_rate = ngrams, ngram_rate
        self.max_length = max_length
        self.truncate = truncate
        self.class_weights = class_weights
        self.threshold = threshold

    def prepare(
        self, config: RunConfig, splits: Splits, tokenizer: Tokenizer, *, labels: Labels | None = None
    ) -> Prepared:
        """Tokenises the splits and encodes their labels."""
        labels = labels or Labels.fit(splits, config.data)
        return Prepared(config, tokenizer, labels, encode_splits(config, splits, tokenizer, labels))

    def build_model(self, config: RunConfig, vocabulary_size: int, labels: Labels | None) -> ClassificationModel:
        """Makes the model with fresh weights, built."""
        encoder = build_encoder(config, causal=self.causal)
        embedding = TokenEmbedding(
            vocabulary_size,
            config.embedding.units or encoder.units,
            segments=config.data.text_pair is not None,
            dropout=config.embedding.dropout,
            word_dropout=config.embedding.word_dropout,
        )
        classes = len(_required(labels).names)
        model = ClassificationModel(
            embedding,
            encoder,
            classes=classes,
            pooling=self.pooling,
            dropout=self.dropout,
            ngrams=self.ngrams,
            ngram_rate=self.ngram_rate,
            name="classifier",
        )
        example = {"token_ids": np.ones((2, 4), np.int32)}
        if config.data.text_pair is not None:
            example["segment_ids"] = np.zeros((2, 4), np.int32)
        model.ensure_built(example)
        return model

    def training_batches(self, prepared: Prepared) -> Batches:
        """Returns shuffled, length-bucketed batches of the train split.

        Raises:
            UsageError: Rows are to be weighed by their class, and there is no count of such.
        """
        split, config = prepared.splits["train"], prepared.config
        self._refuse_weights(split, _required(prepared.labels))
        if split.stream is not None:
            return StreamedClassificationBatches(
                split.stream,
                config.data,
                prepared.tokenizer,
                _required(prepared.labels),
                steps_per_epoch=streamed_steps(config),
                batch_size=config.training.rows,
                seed=config.seed,
                bucket=config.training.bucket,
                max_length=self.max_length,
                truncate=self.truncate,
                shard=prepared.shard,
            )
        return ClassificationBatches(
            split.texts,
            split.targets,
            pair=split.pair,
            batch_size=config.training.rows,
            seed=config.seed,
            shuffle=True,
            bucket=config.training.bucket,
            max_length=self.max_length,
            truncate=self.truncate,
            weights=self._row_weights(split, prepared),
            shard=prepared.shard,
        )

    def fit_arguments(self, batch: Batch) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Splits a batch into the `(x, y, sample_weight)` of `keras.Model.fit`."""
        return _model_inputs(batch), batch["labels"], batch["weights"]

    def compile_arguments(self, labels: Labels | None) -> dict[str, Any]:
        """Returns cross-entropy on logits, as a weighted mean: filler rows of a last batch count nothing."""
        if _required(labels).multi:
            loss = keras.losses.BinaryCrossentropy(
                from_logits=True, label_smoothing=self.label_smoothing, reduction="mean_with_sample_weight"
            )
            return {"loss": loss}
        return {"loss": SmoothedCrossentropy(len(_required(labels).names), self.label_smoothing)}

    def evaluate(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Scores the model on a whole split: accuracy, F1, loss, calibration, per class."""
        return self._score(model, split, prepared, progress, None)

    def evaluate_rows(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared, progress: Progress | None = None
    ) -> tuple[dict[str, Any], RowRecord | None]:
        """Scores as `evaluate` does, and keeps the likeliest classes of each row."""
        rows = ClassifiedRows(split, _required(prepared.labels), self.threshold)
        scores = self._score(model, split, prepared, progress, rows)
        return scores, rows.record(prepared.config.data)

    def _score(
        self,
        model: TextModel,
        split: EncodedSplit,
        prepared: Prepared,
        progress: Progress | None,
        rows: ClassifiedRows | None,
    ) -> dict[str, Any]:
        labels = _required(prepared.labels)
        scores = MultiLabelScores(labels.names, self.threshold) if labels.multi else ClassificationScores(labels.names)
        seen = 0
        for batch, probabilities in self._predictions(model, split, prepared):
            real = batch["rows"] >= 0
            scores.update(probabilities[real], batch["labels"][real])
            if rows is not None:
                rows.update(batch["rows"][real], probabilities[real], batch["labels"][real])
            seen += int(real.sum())
            if progress:
                progress(seen, len(split.texts))
        return scores.results(seed=prepared.config.seed)

    def probabilities(self, model: TextModel, labels: Labels) -> Any:
        """Returns a compiled function of a batch's inputs that gives probabilities. `(batch, classes)`."""
        activation = ops.sigmoid if labels.multi else ops.softmax
        return inference(model, lambda inputs: activation(model(inputs, training=False)), "probabilities")

    def _predictions(
        self, model: TextModel, split: EncodedSplit, prepared: Prepared
    ) -> Iterator[tuple[Batch, np.ndarray]]:
        function = self.probabilities(model, _required(prepared.labels))
        batches = evaluation_batches(
            split.texts,
            split.targets,
            pair=split.pair,
            batch_size=_EVALUATION_ROWS,
            max_length=self.max_length,
            truncate=self.truncate,
        )
        for batch in batches:
            yield batch, np.asarray(function(_model_inputs(batch)))

    def _refuse_weights(self, split: EncodedSplit, labels: Labels) -> None:
        if self.class_weights == "none" or (split.stream is None and not labels.multi):
            return
        wrong = (
            "needs rows of one class each" if labels.multi else "counts the classes of all rows, which no stream has"
        )
        raise UsageError(
            problem("task.class_weights", wrong, received=self.class_weights, way_out="Leave it at 'none'")
        )

    def _row_weights(self, split: EncodedSplit, prepared: Prepared) -> np.ndarray | None:
        targets = split.targets
        if self.class_weights == "none" or targets is None:
            return None
        counts = np.bincount(targets, minlength=len(_required(prepared.labels).names))
        return (len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[targets].astype(np.float32)


class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer targets on logits, with label smoothing.

    Args:
        classes: Number of classes.
        label_smoothing: Probability taken from the right class and shared by all.
    """

    def __init__(self, classes: int, label_smoothing: float = 0.0) -> None:
        super().__init__(name="loss", reduction="mean_with_sample_weight")
        self.classes = classes
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row. `(batch,)`."""
        log_probabilities = ops.log_softmax(y_pred)
        targets = ops.reshape(ops.cast(y_true, "int32"), (-1,))  # Keras hands in (batch, 1)
        targets = ops.one_hot(targets, self.classes, dtype=log_probabilities.dtype)
        right = ops.sum(targets * log_probabilities, axis=-1)
        return -(1.0 - self.label_smoothing) * right - self.label_smoothing * ops.mean(log_probabilities, axis=-1)


def _model_inputs(batch: Batch) -> dict[str, np.ndarray]:
    return {name: batch[name] for name in ("token_ids", "segment_ids") if name in batch}


def _required(labels: Labels | None) -> Labels:
    if labels is None:
        raise TypeError("classification needs labels")
    return labels
