"""SavedModels made on the spot, small enough that every answer can be checked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

Spec = tf.TensorSpec


class Lengths(tf.Module):
    """Answers from the length of a text in bytes, so that a reader can tell what is right."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = tf.Variable(float(version))

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def classes(self, text: Any) -> dict[str, Any]:
        """Says `long` from 6 bytes on; the probability of it is length / (length + 5)."""
        length = tf.cast(tf.strings.length(text), tf.float32)
        long = length / (length + 5.0)
        return {
            "label": tf.where(long > 0.5, "long", "short"),
            "probabilities": tf.stack([1.0 - long, long], 1),
            "labels": tf.tile([["short", "long"]], [tf.size(text), 1]),
        }

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def length(self, text: Any) -> dict[str, Any]:
        return {"length": tf.cast(tf.strings.length(text), tf.float32)}

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def score(self, text: Any) -> dict[str, Any]:
        """Gives every byte the probability 1/2, so that the perplexity per token is 2."""
        tokens = tf.strings.length(text)
        return {"tokens": tokens, "log_likelihood": tf.math.log(0.5) * tf.cast(tokens, tf.float32)}

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def which(self, text: Any) -> dict[str, Any]:
        return {"version": tf.fill([tf.size(text)], self.version)}

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def raw(self, text: Any) -> dict[str, Any]:
        return {"copy_bytes": text}

    @tf.function(input_signature=[Spec([None], tf.string, name="text")])
    def echo(self, text: Any) -> dict[str, Any]:
        return {"copy": text}

    @tf.function(input_signature=[Spec([None], tf.float32, name="x")])
    def half(self, x: Any) -> dict[str, Any]:
        return {"y": tf.cast(x, tf.float16)}

    @tf.function(input_signature=[Spec([None], tf.float16, name="x")])
    def from_half(self, x: Any) -> dict[str, Any]:
        return {"y": tf.cast(x, tf.float32)}

    @tf.function(input_signature=[Spec([], tf.float32, name="x")])
    def scalar(self, x: Any) -> dict[str, Any]:
        return {"y": x * 2.0}

    @tf.function(input_signature=[Spec([None], tf.float32, name="a"), Spec([None], tf.float32, name="b")])
    def sum_of(self, a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b}

    @tf.function(input_signature=[Spec(None, tf.float32, name="x")])
    def same(self, x: Any) -> dict[str, Any]:
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[Spec([None], tf.float64, name="x")])
    def same_double(self, x: Any) -> dict[str, Any]:
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[Spec([None], tf.int32, name="n")])
    def twice(self, n: Any) -> dict[str, Any]:
        return {"m": 2 * n}

    @tf.function(input_signature=[Spec([None], tf.int64, name="n")])
    def same_long(self, n: Any) -> dict[str, Any]:
        return {"m": tf.identity(n)}

    @tf.function(input_signature=[Spec([None], tf.bool, name="b")])
    def opposite(self, b: Any) -> dict[str, Any]:
        return {"c": tf.logical_not(b)}

    @tf.function(input_signature=[Spec([None], tf.float32, name="x")])
    def uneven(self, x: Any) -> dict[str, Any]:
        return {"all": x, "first": x[:1]}

    @tf.function(input_signature=[Spec([None], tf.float32, name="x")])
    def failing(self, x: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.debugging.assert_less(x, 10.0, message="x is too large")]):
            return {"y": tf.identity(x)}

    @tf.function(input_signature=[Spec([None], tf.int32, name="steps")])
    def count(self, steps: Any) -> dict[str, Any]:
        """Counts to the largest number one by one, which takes some seconds for a million."""
        return {
            "counted": tf.while_loop(lambda n: tf.reduce_any(n < steps), lambda n: [n + 1], [tf.zeros_like(steps)])[0]
        }

    @tf.function(input_signature=[Spec([None], tf.string, name="inputs")])
    def classify(self, inputs: Any) -> dict[str, Any]:
        answer = self.classes(self._text(inputs))
        return {"classes": answer["labels"], "scores": answer["probabilities"]}

    @tf.function(input_signature=[Spec([None], tf.string, name="inputs")])
    def regress(self, inputs: Any) -> dict[str, Any]:
        return {"outputs": self.length(self._text(inputs))["length"]}

    @tf.function(
        input_signature=[
            Spec([None], tf.string, name="text"),
            Spec([None], tf.int32, name="max_tokens"),
            Spec([None], tf.float32, name="temperature"),
        ]
    )
    def generate(self, text: Any, max_tokens: Any, temperature: Any) -> dict[str, Any]:
        return {"generated": tf.strings.join([text, tf.strings.as_string(max_tokens)], separator=" and ")}

    def _text(self, inputs: Any) -> Any:
        parsed = tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string, "")})
        return parsed["text"]


SIGNATURES = ["which", "length", "raw", "echo", "half", "from_half", "scalar", "sum_of", "same", "same_double", "twice"]
SIGNATURES += ["same_long", "opposite", "uneven", "failing", "count", "score", "classify", "regress", "generate"]


def save(folder: Path, version: int) -> Path:
    """Writes `folder/<version>`, whole at once, as a publisher should."""
    model = Lengths(version)
    signatures = {name: getattr(model, name) for name in SIGNATURES}
    beside = folder / f"{version}.part"
    tf.saved_model.save(model, str(beside), signatures={"serving_default": model.classes, **signatures})
    beside.rename(folder / str(version))
    return folder / str(version)
