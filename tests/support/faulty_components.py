"""Tokenizers and tasks with one planted fault each, made from sound ones, so that their checks are checked."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from textseq.data.tokenizers.base import PAD_ID, UNKNOWN_ID
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.data.tokenizers.words import WordsTokenizer
from textseq.tasks.classification import Classification


class Words(WordsTokenizer):
    """A sound one under another name.

    Args:
        vocabulary_size: Ids at most.
        min_count: Times a word must stand in the train split.
        lowercase: Whether upper case is folded.
    """

    registered_name: ClassVar[str] = "words_under_test"


class LosesSpaces(Words):
    """Joins words by nothing."""

    def decode(self, ids):
        return [text.replace(" ", "") for text in super().decode(ids)]


class KnowsNothing(Words):
    """Has no id for any word."""

    def encode(self, texts):
        return [[UNKNOWN_ID] * len(row) for row in super().encode(texts)]


class WritesPadding(Words):
    """Gives the id of padding to an exclamation mark."""

    def encode(self, texts):
        rows = super().encode(texts)
        return [[PAD_ID] if text.startswith("<pad>") else row for text, row in zip(texts, rows, strict=True)]


class BeyondTheVocabulary(Words):
    """Counts one id less than it gives."""

    @property
    def vocabulary_size(self):
        return super().vocabulary_size - 1


class FoldsInPythonOnly(Words):
    """Reads ß as ss, and its graph does not."""

    def encode(self, texts):
        return super().encode([text.replace("\u00a0", "") for text in texts])


class EachTimeAnother(Words):
    """Gives the words of a text in another order at every second call."""

    calls = itertools.count()

    def encode(self, texts):
        rows = super().encode(texts)
        return [row[::-1] for row in rows] if next(self.calls) % 2 else rows


class ForgetsAWord(Words):
    """Saves all words but the last."""

    def learned(self):
        return super().learned().rpartition(b"\n")[0]


class FittedByChance(Words):
    """Numbers the words by a generator of its own."""

    generator = np.random.default_rng(0)

    def fit(self, texts, seed=0):
        super().fit(texts, seed)
        words = self.learned().decode().split("\n")
        self.restore("\n".join([*words[:4], *self.generator.permutation(words[4:])]).encode())


class EmptyIsUnknown(Words):
    """Gives an id to a text without words."""

    def encode(self, texts):
        return [row or [1] for row in super().encode(texts)]


class CountsTooManyBytes(Words):
    """Charges characters that are known."""

    def unknown_bytes(self, texts):
        return [len(text.encode("utf-8", "replace")) for text in texts]


class OtherTextsInTheGraph(BytesTokenizer):
    """Its graph writes capitals."""

    registered_name: ClassVar[str] = "bytes_under_test"

    def graph_decoder(self):
        import tensorflow as tf

        decode = super().graph_decoder()
        return lambda ids: tf.strings.upper(decode(ids))


class OthersName(Words):
    """Says that it is another."""

    registered_name: ClassVar[str] = "bytes"


class DoesNotFit(Words):
    """Wants what nobody has."""

    def fit(self, texts, seed=0):
        raise ValueError("the plan is missing")


PLANTED_TOKENIZERS: dict[type, str] = {
    LosesSpaces: "known text comes back",
    KnowsNothing: "known text comes back",
    WritesPadding: "ids are in range",
    BeyondTheVocabulary: "ids are in range",
    FoldsInPythonOnly: "the graph gives the same ids",
    EachTimeAnother: "other texts change nothing",
    ForgetsAWord: "what was saved is loaded",
    FittedByChance: "fitting twice gives the same",
    EmptyIsUnknown: "nothing has no ids",
    CountsTooManyBytes: "unknown bytes are counted",
    OtherTextsInTheGraph: "the graph gives the same texts",
    OthersName: "it knows its registered name",
    DoesNotFit: "it can be fitted",
    Classification: "it is a tokenizer",
}


class Task(Classification):
    """A sound one.

    Args:
        pooling: How the steps become one vector.
        dropout: Fraction dropped.
        label_smoothing: Probability shared by all.
        max_length: Tokens a text is cut to.
        truncate: Which end goes.
        class_weights: Whether rare classes weigh more.
        threshold: Probability from which a class is predicted.
    """


class LossIsNoNumber(Task):
    """Takes the logarithm of what may be negative."""

    def compile_arguments(self, labels):
        sound = super().compile_arguments(labels)["loss"]
        return {"loss": lambda y_true, y_pred: ops.log(-sound.call(y_true, y_pred))}


class MonitorsNothing(Task):
    """Monitors a score that it does not give."""

    monitor: ClassVar[str] = "delight"


class MonitorsACount(Task):
    """Monitors a whole number, which nothing gains by being."""

    monitor: ClassVar[str] = "rows"


class ShufflesByChance(Task):
    """Draws its batches anew each time."""

    seeds = itertools.count()

    def training_batches(self, prepared):
        batches = super().training_batches(prepared)
        batches.seed = next(self.seeds)
        return batches


class IdleHead(Task):
    """Has a layer that reaches no loss."""

    def build_model(self, config, vocabulary_size, labels):
        model = super().build_model(config, vocabulary_size, labels)
        model.idle = keras.layers.Dense(2)
        model.idle.build((None, 2))
        return model


class ScoresDrift(Task):
    """Moves a weight as it scores."""

    def evaluate(self, model, split, prepared, progress=None):
        scores = super().evaluate(model, split, prepared, progress)
        model.logits.kernel.assign(ops.convert_to_tensor(model.logits.kernel) + 0.1)
        return scores


class ScoresOfArrays(Task):
    """Gives scores that no JSON holds."""

    def evaluate(self, model, split, prepared, progress=None):
        return {**super().evaluate(model, split, prepared, progress), "table": np.zeros(2)}


class LearnsClassesAnew(Task):
    """Ignores the classes of a run."""

    def prepare(self, config, splits, tokenizer, *, labels=None):
        return super().prepare(config, splits, tokenizer)


class WeighsNothing(Task):
    """Gives every row the weight 0."""

    def fit_arguments(self, batch: Any):
        inputs, targets, weights = super().fit_arguments(batch)
        return inputs, targets, 0 * weights


PLANTED_TASKS: dict[type, str] = {
    LossIsNoNumber: "training lowers the loss",
    MonitorsNothing: "scores are plain and hold the monitored one",
    MonitorsACount: "scores are plain and hold the monitored one",
    ShufflesByChance: "batches follow from seed epoch and step",
    IdleHead: "training moves every weight",
    ScoresDrift: "scoring changes nothing",
    ScoresOfArrays: "scores are plain and hold the monitored one",
    LearnsClassesAnew: "the classes are kept",
    WeighsNothing: "a batch has a weight for each target",
    Words: "it is a task",
}
