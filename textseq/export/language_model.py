"""The signatures of a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID, UNKNOWN_ID
from textseq.evaluation.loading import Run
from textseq.export.carried import Carried
from textseq.export.endpoint import Endpoint, Input
from textseq.export.generation import MOST_TOKENS, generated, read
from textseq.export.texts import Encode, framed, kept, padded, valid

Tensors = Mapping[str, Any]

SCORED_TOGETHER = 64  # tokens: the softmax of all tokens at once would not fit for long texts
_TEXT = "Raw text in UTF-8; what is none counts as U+FFFD."


class LanguageModelEndpoints:
    """Makes them from a run.

    Args:
        run: A language modelling run, its model built on TensorFlow.
        encode: The tokenizer in the graph.
        keep: Takes what of the tokenizer a SavedModel must hold: tables.
    """

    def __init__(self, run: Run, encode: Encode, keep: Callable[[Any], None]) -> None:
        task: Any = run.task
        self._model: Any = run.model
        self._encode, self._keep, self._tokenizer = encode, keep, run.tokenizer
        self._end, self._window = task.end_of_text, task.window
        self._carried = Carried(run.model)
        self._streams = self._carried.example is not None

    def all(self) -> list[Endpoint]:
        """Returns every signature; an encoder without a state only scores."""
        score = self._score()
        made = [score.renamed("serving_default"), score, self._token_ids()]
        if self._streams:
            made += [self._generate(), self._initial_state(), self._step()]
        return made

    def _score(self) -> Endpoint:
        closing = " and the end of the text" if self._end else ""
        outputs = {
            "log_likelihood": f"Natural logarithm of the probability of the tokens{closing}, summed. (batch,)",
            "tokens": "How many were predicted: perplexity = exp(-log_likelihood / tokens). (batch,)",
            "bytes": "Of the text in UTF-8: bits per byte = -log_likelihood / bytes / ln 2, where no token is unknown."
            " (batch,)",
        }
        text = Input.make("text", tf.string, "warm-up", _TEXT)
        doc = "Says how likely a text is, read from its start."
        return Endpoint("score", doc, (text,), outputs, self._scores)

    def _scores(self, inputs: Tensors) -> Tensors:
        texts = valid(inputs["text"])
        tokens = framed(self._encode(texts), end=self._end)
        targets = tokens[:, 1:]
        seen = tf.where(targets == PAD_ID, PAD_ID, tokens[:, :-1])
        window = SCORED_TOGETHER if self._streams else self._window
        time = tf.shape(targets)[1]

        def body(begin: Any, total: Any, *state: Any) -> Any:
            token_ids, wanted = seen[:, begin : begin + window], targets[:, begin : begin + window]
            hidden, state = self._carried.advance(token_ids, state)
            losses = tf.cast(self._model.negative_log_likelihood(hidden, wanted), tf.float64)
            total -= tf.reduce_sum(tf.where(wanted == PAD_ID, tf.zeros_like(losses), losses), 1)
            return begin + window, total, *state

        zeros = tf.zeros(tf.shape(tokens)[:1], tf.float64)
        _, total, *_ = tf.while_loop(
            lambda begin, *_: begin < time, body, (0, zeros, *self._carried.first(tf.shape(tokens)[0]))
        )
        return {
            "log_likelihood": tf.cast(total, tf.float32),
            "tokens": tf.reduce_sum(tf.cast(targets != PAD_ID, tf.int32), 1),
            "bytes": tf.strings.length(texts),
        }

    def _token_ids(self) -> Endpoint:
        def function(inputs: Tensors) -> Tensors:
            ids = self._encode(inputs["text"])
            token_ids, _ = padded(ids, 2**31 - 1, "end")
            length = tf.cast(ids.row_lengths(), tf.int32)
            return {"token_ids": tf.where(length[:, None] == 0, PAD_ID, token_ids), "length": length}

        outputs = {
            "token_ids": "Without start and end, 0 at padding. (batch, time)",
            "length": "Tokens of each row. (batch,)",
        }
        text = Input.make("text", tf.string, "warm-up", _TEXT)
        return Endpoint("token_ids", "Says how a text is cut into tokens.", (text,), outputs, function)

    def _generate(self) -> Endpoint:
        decode = kept(self._tokenizer.graph_decoder(), self._keep)

        def function(inputs: Tensors) -> Tensors:
            return {"text": generated(self._carried, self._encode, decode, inputs)}

        inputs = (
            Input.make("text", tf.string, "warm-up", f"The prompt; may be empty. {_TEXT}"),
            Input.make("max_tokens", tf.int32, 4, f"Tokens at most, and never more than {MOST_TOKENS:,}."),
            Input.make("temperature", tf.float32, 1.0, "0 or less takes the likeliest token each time."),
            Input.make("top_k", tf.int32, 0, "Consider so many likeliest tokens; 0 or less for all."),
            Input.make("top_p", tf.float32, 1.0, "Consider the likeliest tokens of this probability; 1 for all."),
            Input.make("seed", tf.int64, 0, "Same seed, same text, whatever else is in the batch."),
        )
        outputs = {"text": "What follows the prompt, as `textseq generate` writes it. (batch,)"}
        return Endpoint("generate", "Goes on from a prompt.", inputs, outputs, function)

    def _initial_state(self) -> Endpoint:
        def function(inputs: Tensors) -> Tensors:
            _, scores, state = read(self._carried, self._encode(inputs["text"]))
            return {"log_probabilities": scores, **self._named(state)}

        text = Input.make("text", tf.string, "", f"The prompt; may be empty. {_TEXT}")
        outputs = {"log_probabilities": "Of each token to come first. (batch, vocabulary)", **self._state_docs()}
        doc = "Reads a prompt, from the start token on, and gives the state that `step` takes."
        return Endpoint("initial_state", doc, (text,), outputs, function)

    def _step(self) -> Endpoint:
        def function(inputs: Tensors) -> Tensors:
            token_ids, size = inputs["token_ids"], self._tokenizer.vocabulary_size
            token_ids = tf.where((token_ids >= 0) & (token_ids < size), token_ids, UNKNOWN_ID)
            state = tuple(inputs[name] for name in self._carried.parts)
            hidden, state = self._carried.advance(token_ids[:, None], state)
            return {"log_probabilities": self._model.logits(hidden[:, 0]), **self._named(state)}

        doc = f"The token that was chosen; {END_ID} ends a text, {START_ID} starts one, 0 leaves the state as it is."
        inputs = [Input.make("token_ids", tf.int32, START_ID, doc)]
        for name, part in self._carried.parts.items():
            shape = (None, *part.shape[1:])
            inputs.append(Input.make(name, part.dtype, part.numpy()[0], "As the call before gave it.", shape))
        outputs = {"log_probabilities": "Of each token to come next. (batch, vocabulary)", **self._state_docs()}
        return Endpoint("step", "Reads one token.", tuple(inputs), outputs, function)

    def _state_docs(self) -> dict[str, str]:
        return dict.fromkeys(self._carried.parts, "A part of the state, for the next call. (batch, …)")

    def _named(self, state: tuple[Any, ...]) -> Tensors:
        return dict(zip(self._carried.parts, state, strict=True))
