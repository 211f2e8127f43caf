"""Text from a language model inside a TensorFlow graph: `textseq.evaluation.generation` for a batch of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from textseq.data.tokenizers.base import END_ID, PAD_ID
from textseq.export.carried import Carried
from textseq.export.sampling import choose, uniform
from textseq.export.texts import Encode, framed

MOST_TOKENS = 4096  # of one request: a server has others to answer
_READ_TOGETHER = 32  # tokens of a prompt


def read(carried: Carried, ids: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """Reads prompts, from the start token on.

    Args:
        carried: The language model and its state.
        ids: `(batch, None)` ragged, int32.

    Returns:
        The vectors before the softmax after each prompt `(batch, features)`, the next token's log-probabilities
        `(batch, vocabulary)`, and the state as a flat tuple.
    """
    model, tokens = carried.model, framed(ids, end=False)
    rows, time = tf.shape(tokens)[0], tf.shape(tokens)[1]
    width = model.embedding.units if model.tied else model.encoder.units

    def body(begin: Any, last: Any, *state: Any) -> Any:
        token_ids = tokens[:, begin : begin + _READ_TOGETHER]
        hidden, state = carried.advance(token_ids, state)
        count = tf.reduce_sum(tf.cast(token_ids != PAD_ID, tf.int32), 1)
        newest = tf.gather(hidden, tf.maximum(count - 1, 0), batch_dims=1)
        return begin + _READ_TOGETHER, tf.where(count[:, None] > 0, newest, last), *state

    first = tf.zeros((rows, width), model.compute_dtype)
    _, last, *state = tf.while_loop(lambda begin, *_: begin < time, body, (0, first, *carried.first(rows)))
    return last, model.logits(last), tuple(state)


def generated(carried: Carried, encode: Encode, decode: Callable[[Any], Any], inputs: Mapping[str, Any]) -> Any:
    """Returns what follows each prompt. `(batch,)`.

    Args:
        carried: The language model and its state.
        encode: The tokenizer in the graph.
        decode: From ragged ids to strings.
        inputs: `text`, `max_tokens`, `temperature`, `top_k`, `top_p` and `seed`, each `(batch,)`.
    """
    prompt = encode(inputs["text"])
    _, scores, state = read(carried, prompt)
    limit = tf.clip_by_value(inputs["max_tokens"], 0, MOST_TOKENS)
    longest = tf.reduce_max(tf.concat([limit, [0]], 0))
    columns = tf.range(longest)[None]
    temperature, top_k, top_p = (inputs[name] for name in ("temperature", "top_k", "top_p"))

    def goes_on(place: Any, written: Any, active: Any, *_: Any) -> Any:
        return (place < longest) & tf.reduce_any(active)

    def body(place: Any, written: Any, active: Any, scores: Any, *state: Any) -> Any:
        token = choose(scores, temperature, top_k, top_p, uniform(inputs["seed"], place))
        active = active & (token != END_ID) & (place < limit)
        token = tf.where(active, token, PAD_ID)
        written = tf.where(columns == place, token[:, None], written)
        hidden, state = carried.advance(token[:, None], state)
        return place + 1, written, active, carried.model.logits(hidden[:, 0]), *state

    nothing = tf.zeros((tf.shape(limit)[0], longest), tf.int32)
    start = (0, nothing, limit > 0, scores, *state)
    _, written, *_ = tf.while_loop(goes_on, body, start)
    tokens = tf.RaggedTensor.from_tensor(written, padding=PAD_ID)
    return _behind(decode(tf.concat([prompt, tokens], 1)), decode(prompt))


def _behind(whole: Any, before: Any) -> Any:
    """Returns what stands after the first characters of each text, as many as `before` has. `(batch,)`."""
    length = tf.strings.length(whole, "UTF8_CHAR")
    begin = tf.minimum(tf.strings.length(before, "UTF8_CHAR"), length)
    return tf.strings.substr(whole, begin, length - begin, "UTF8_CHAR")
