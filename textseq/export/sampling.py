"""The choice of the next token inside a TensorFlow graph: `textseq.evaluation.sampling` for a batch of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from textseq.evaluation.sampling import FIRST_FACTOR, GOLDEN, NEVER_CHOSEN, SECOND_FACTOR


def uniform(seeds: Any, place: Any) -> Any:
    """Returns each row's number in [0, 1). `(batch,)`, float64.

    Args:
        seeds: `(batch,)`, int64.
        place: Counted from 0 at the first token after the prompt; a scalar.
    """
    golden = tf.constant(GOLDEN, tf.uint64)
    start = _mixed(tf.cast(seeds, tf.uint64) + golden)
    mixed = _mixed(start + tf.cast(place + 1, tf.uint64) * golden)
    return tf.cast(tf.bitwise.right_shift(mixed, tf.constant(11, tf.uint64)), tf.float64) * 2.0**-53


def choose(log_probabilities: Any, temperature: Any, top_k: Any, top_p: Any, chances: Any) -> Any:
    """Returns each row's next token. `(batch,)`, int32.

    Values without meaning get one, since an error would fail other clients' rows of the same batch.

    Args:
        log_probabilities: `(batch, vocabulary)`
        temperature: 0 or less, or no finite number, takes the likeliest token. `(batch,)`, float32.
        top_k: 0 or less for all. `(batch,)`, int32.
        top_p: 0 or less is the likeliest alone, 1 or more all. `(batch,)`, float32.
        chances: In [0, 1). `(batch,)`, float64.
    """
    never = np.zeros(log_probabilities.shape[-1], np.float64)
    never[list(NEVER_CHOSEN)] = -np.inf
    scores = tf.cast(log_probabilities, tf.float64) + never
    order = tf.argsort(scores, direction="DESCENDING", stable=True)  # the lowest id first among equals
    scores = tf.gather(scores, order, batch_dims=1)
    greedy = ~((temperature > 0) & tf.math.is_finite(temperature))
    scale = tf.cast(tf.where(greedy, tf.ones_like(temperature), temperature), tf.float64)
    scaled = scores / scale[:, None]
    powers = tf.exp(scaled - scaled[:, :1])
    ranks = tf.range(tf.shape(powers)[1])[None]
    powers = tf.where((top_k[:, None] <= 0) | (ranks < top_k[:, None]), powers, 0.0)
    share = powers / tf.reduce_sum(powers, 1, keepdims=True)
    before = tf.cumsum(share, axis=1, exclusive=True)
    enough = tf.cast(top_p, tf.float64)[:, None]
    share = tf.where((enough >= 1) | (before < enough) | (ranks == 0), share, 0.0)
    share /= tf.reduce_sum(share, 1, keepdims=True)
    place = tf.reduce_sum(tf.cast(tf.cumsum(share, axis=1) < chances[:, None], tf.int32), 1)
    last = tf.reduce_sum(tf.cast(share > 0, tf.int32), 1) - 1
    place = tf.where(greedy, tf.zeros_like(place), tf.clip_by_value(place, 0, tf.maximum(last, 0)))
    return tf.gather(order, place, batch_dims=1)


def _mixed(bits: Any) -> Any:
    bits = _folded(bits, 30) * tf.constant(FIRST_FACTOR, tf.uint64)
    bits = _folded(bits, 27) * tf.constant(SECOND_FACTOR, tf.uint64)
    return _folded(bits, 31)


def _folded(bits: Any, by: int) -> Any:
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(by, tf.uint64)))
