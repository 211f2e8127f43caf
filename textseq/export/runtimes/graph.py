"""A classifier as one function that converters understand: of strings, or of token ids where a runtime has no strings.

The one of strings differs from the SavedModel's in what they do not: TensorFlow's op that makes UTF-8 valid is left
out, so texts have to be valid already; and OpenVINO recognises SentencePiece by the sparse tensor its ids become.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from textseq.data.tokenizers.base import PAD_ID
from textseq.evaluation.loading import Run
from textseq.export.classification import ClassifierEndpoints
from textseq.export.texts import Encode, kept
from textseq.layers.recurrence.scan import outputs_as_made


def predict_function(
    run: Run, temperature: float, *, outputs: Sequence[str] | None = None, sparse: bool = False
) -> Any:
    """Returns the traced `tf.function`.

    Args:
        run: A classification run on TensorFlow.
        temperature: Of a calibrated classifier.
        outputs: Which of `predict`'s; all unless given.
        sparse: Whether ids go through a sparse tensor.
    """
    owned: list[Any] = []
    in_graph = kept(run.tokenizer.graph_encoder(), owned.append)
    encode: Encode = (
        (lambda texts: _through_sparse(in_graph(texts))) if sparse else (lambda texts: _long(in_graph(texts)))
    )
    endpoints = ClassifierEndpoints(run, encode, temperature=temperature).all()
    predict = next(endpoint for endpoint in endpoints if endpoint.name == "predict")
    names = [item.spec.name for item in predict.inputs]

    def answer(*texts: Any) -> dict[str, Any]:
        answers = predict.function(dict(zip(names, texts, strict=True)))
        return {name: answers[name] for name in outputs or answers}

    function = tf.function(answer, input_signature=[item.spec for item in predict.inputs], autograph=False)
    with outputs_as_made():
        function.get_concrete_function()
    function.owned = owned  # tables live as long as it does
    return function


def probabilities_function(run: Run, temperature: float) -> Any:
    """Returns the traced `tf.function` from one text's `token_ids` (1, time) to its `probabilities` (1, classes).

    Of pairs it takes `segment_ids` too. One text at a time: TensorFlow Lite wants the steps' shape to be known.

    Args:
        run: A classification run on TensorFlow.
        temperature: Of a calibrated classifier.
    """
    endpoints = ClassifierEndpoints(run, run.tokenizer.graph_encoder(), temperature=temperature)
    names = ["token_ids", *(["segment_ids"] if run.config.data.text_pair is not None else [])]

    def answer(*ids: Any) -> dict[str, Any]:
        return {"probabilities": endpoints.probabilities(dict(zip(names, ids, strict=True)))}

    signature = [tf.TensorSpec([1, None], tf.int32, name=name) for name in names]
    function = tf.function(answer, input_signature=signature, autograph=False)
    with outputs_as_made():
        function.get_concrete_function()
    return function


def _long(ids: Any) -> Any:
    """Returns the ids with row splits of 64 bits, as the places of tokens are counted."""
    return tf.RaggedTensor.from_row_splits(
        tf.cast(ids.values, tf.int32), tf.cast(ids.row_splits, tf.int64), validate=False
    )


def _through_sparse(ids: Any) -> Any:
    """Returns the same ids; none of a text's own is the padding's."""
    dense = tf.sparse.to_dense(ids.to_sparse(), default_value=PAD_ID)  # (batch, time)
    real = dense != PAD_ID
    lengths = tf.reduce_sum(tf.cast(real, tf.int64), axis=1)
    return tf.RaggedTensor.from_row_lengths(tf.cast(tf.boolean_mask(dense, real), tf.int32), lengths, validate=False)
