"""The signatures of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from textseq.evaluation.loading import Run
from textseq.export.endpoint import Endpoint, Input
from textseq.export.texts import Encode, padded, padded_pairs
from textseq.tasks.classification_model import ClassificationModel

Tensors = Mapping[str, Any]

_TEXT = "Raw text in UTF-8; what is none counts as U+FFFD."
_PAIR = "The second text of the pair."


class ClassifierEndpoints:
    """Makes them from a run.

    Args:
        run: A classification run, its model built on TensorFlow.
        encode: The tokenizer in the graph.
        temperature: Divides the logits; 1 leaves the probabilities as the model gives them.
    """

    def __init__(self, run: Run, encode: Encode, *, temperature: float = 1.0) -> None:
        if run.labels is None:
            raise TypeError("classification needs labels")
        task: Any = run.task
        self._model: Any = run.model
        self._encode, self._temperature = encode, temperature
        self._names = [name.encode("utf-8", "replace") for name in run.labels.names]
        self._multi = run.labels.multi
        self._pairs = run.config.data.text_pair is not None
        self._max_length, self._truncate, self._threshold = task.max_length, task.truncate, task.threshold

    def all(self) -> list[Endpoint]:
        """Returns every signature."""
        predict = self._predict()
        return [predict.renamed("serving_default"), predict, self._classify(), self._token_ids(), self._embed()]

    def probabilities(self, batch: Tensors) -> Any:
        """Returns the probabilities of the classes. `(batch, classes)`.

        Args:
            batch: `token_ids` and, of pairs, `segment_ids`. `(batch, time)`
        """
        logits = self._model(_model_inputs(batch), training=False)
        if self._multi:
            return tf.sigmoid(logits)
        return tf.nn.softmax(logits if self._temperature == 1 else logits / self._temperature)

    def _predict(self) -> Endpoint:
        outputs = {
            "probabilities": "Of each class, in the order of `labels`. (batch, classes)",
            "labels": "The names of the classes, the same in each row. (batch, classes)",
        }
        if self._multi:
            outputs["predicted"] = f"Whether the probability is {self._threshold} or more. (batch, classes)"
            return Endpoint("predict", "Says which classes a text has.", self._texts(), outputs, self._answers)
        outputs["label"] = "The name of the likeliest class. (batch,)"
        return Endpoint("predict", "Says which class a text is of.", self._texts(), outputs, self._answers)

    def _answers(self, inputs: Tensors) -> Tensors:
        probabilities = self.probabilities(self._batch(inputs))
        answers = {"probabilities": probabilities, "labels": self._labels(probabilities)}
        if self._multi:
            answers["predicted"] = probabilities >= self._threshold
        else:
            answers["label"] = tf.gather(tf.constant(self._names), tf.argmax(probabilities, axis=1))
        return answers

    def _classify(self) -> Endpoint:
        features = {item.spec.name: tf.io.FixedLenFeature([], tf.string) for item in self._texts()}

        def function(inputs: Tensors) -> Tensors:
            scores = self.probabilities(self._batch(tf.io.parse_example(inputs["inputs"], features)))
            return {"classes": self._labels(scores), "scores": scores}

        example = tf.train.Example()
        for item in self._texts():
            example.features.feature[item.spec.name].bytes_list.value.append(item.example.encode())
        named = " and ".join(f"`{name}`" for name in features)
        doc = f"Serialised tf.Example with {named}."
        outputs = {
            "classes": "The names of the classes, the same in each row. (batch, classes)",
            "scores": "Their probabilities. (batch, classes)",
        }
        inputs = (Input.make("inputs", tf.string, example.SerializeToString(), doc),)
        return Endpoint("classify", "`predict` for TensorFlow Serving's classify API.", inputs, outputs, function)

    def _token_ids(self) -> Endpoint:
        outputs = {
            "token_ids": "What the model sees, 0 at padding. (batch, time)",
            "length": "Tokens of each row. (batch,)",
        }
        if self._pairs:
            outputs["segment_ids"] = "1 at the second text, 0 elsewhere. (batch, time)"
        return Endpoint("token_ids", "Says how a text is cut into tokens.", self._texts(), outputs, self._batch)

    def _embed(self) -> Endpoint:
        def function(inputs: Tensors) -> Tensors:
            model: ClassificationModel = self._model
            encoded, mask, _ = model.encode(_model_inputs(self._batch(inputs)), training=False)
            return {"embedding": tf.cast(model.pooling(encoded, mask=mask), tf.float32)}

        outputs = {
            "embedding": "The encoder's steps as one vector, which classes are read from beside n-grams. (batch, units)"
        }
        return Endpoint("embed", "Gives a text as a vector.", self._texts(), outputs, function)

    def _texts(self) -> tuple[Input, ...]:
        text = Input.make("text", tf.string, "warm-up", _TEXT)
        return (text, Input.make("text_pair", tf.string, "warm-up", _PAIR)) if self._pairs else (text,)

    def _batch(self, inputs: Tensors) -> Tensors:
        ids = self._encode(inputs["text"])
        if not self._pairs:
            token_ids, length = padded(ids, self._max_length, self._truncate)
            return {"token_ids": token_ids, "length": length}
        second = self._encode(inputs["text_pair"])
        token_ids, segment_ids, length = padded_pairs(ids, second, self._max_length, self._truncate)
        return {"token_ids": token_ids, "segment_ids": segment_ids, "length": length}

    def _labels(self, probabilities: Any) -> Any:
        rows = tf.shape(probabilities)[0]
        return tf.broadcast_to(tf.constant(self._names)[None], (rows, len(self._names)))


def _model_inputs(batch: Tensors) -> Tensors:
    return {name: tensor for name, tensor in batch.items() if name != "length"}
