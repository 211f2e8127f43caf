"""The graph draws the tokens that `textseq generate` draws."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textseq.evaluation import sampling as host
from textseq.export import sampling as graph

SETTINGS = [
    host.Sampling(),
    host.Sampling(temperature=0.0),
    host.Sampling(temperature=0.7),
    host.Sampling(top_k=1),
    host.Sampling(top_k=5, temperature=1.3),
    host.Sampling(top_p=0.6),
    host.Sampling(top_p=1e-6),
    host.Sampling(top_p=0.9, top_k=20, temperature=0.5),
    host.Sampling(top_k=1000),
]


def choose(log_probabilities: np.ndarray, settings: list[host.Sampling], chances: np.ndarray) -> np.ndarray:
    return graph.choose(
        tf.constant(log_probabilities, tf.float32),
        tf.constant([one.temperature for one in settings], tf.float32),
        tf.constant([one.top_k for one in settings], tf.int32),
        tf.constant([one.top_p for one in settings], tf.float32),
        tf.constant(chances, tf.float64),
    ).numpy()


def test_chances_are_equal_to_the_last_bit() -> None:
    seeds = np.array([0, 1, -1, 42, 2**63 - 1, -(2**63)], np.int64)
    for place in (0, 1, 99, 4095):
        found = graph.uniform(tf.constant(seeds), tf.constant(place)).numpy()
        np.testing.assert_array_equal(found, [host.uniform(int(seed), place) for seed in seeds])


def test_the_same_tokens_are_chosen() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        scores = generator.normal(scale=2.0, size=(len(SETTINGS), 50)).astype(np.float32)
        scores[:, 7] = scores[:, 30]  # a tie
        chances = generator.random(len(SETTINGS))
        wanted = [host.choose(*row) for row in zip(scores, SETTINGS, chances, strict=True)]
        np.testing.assert_array_equal(choose(scores, SETTINGS, chances), wanted)


def test_chances_at_both_ends_choose_a_token_that_can_be() -> None:
    scores = np.full((2, 9), -3.0, np.float32)
    found = choose(scores, [host.Sampling(), host.Sampling()], np.array([0.0, 1 - 2**-53]))
    np.testing.assert_array_equal(found, [3, 8])


def test_settings_without_meaning_spoil_no_other_row() -> None:
    scores = np.random.default_rng(1).normal(size=(6, 20)).astype(np.float32)
    good = choose(scores[:1], [host.Sampling()], np.array([0.4]))
    bad = graph.choose(
        tf.constant(scores),
        tf.constant([1.0, np.nan, np.inf, -1.0, 1.0, 1.0]),
        tf.constant([0, 0, 0, 0, -5, 0]),
        tf.constant([1.0, 1.0, 1.0, 1.0, 7.0, -1.0]),
        tf.constant([0.4] * 6, tf.float64),
    ).numpy()
    assert bad[0] == good[0]
    likeliest = scores[:, 3:].argmax(1) + 3
    np.testing.assert_array_equal(bad[[1, 2, 3, 5]], likeliest[[1, 2, 3, 5]])
    plain = choose(scores[4:5], [host.Sampling()], np.array([0.4]))
    assert bad[4] == plain[0]
