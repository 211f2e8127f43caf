"""The embedding of tokens and segments."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from textseq.layers.embedding import TokenEmbedding

IDS = np.array([[5, 6, 0], [6, 0, 0]], "int32")


def test_a_token_has_one_vector_wherever_it_stands() -> None:
    vectors = ops.convert_to_numpy(TokenEmbedding(8, 4)({"token_ids": IDS}))
    np.testing.assert_array_equal(vectors[0, 1], vectors[1, 0])
    assert (vectors[0, 0] != vectors[0, 1]).any()


def test_segments_add_a_vector_of_their_own() -> None:
    layer = TokenEmbedding(8, 4, segments=True)
    segments = np.array([[0, 1, 0], [0, 0, 0]], "int32")
    vectors = ops.convert_to_numpy(layer({"token_ids": IDS, "segment_ids": segments}))
    table = ops.convert_to_numpy(layer.segment_embeddings)
    np.testing.assert_allclose(vectors[0, 1] - vectors[1, 0], table[1] - table[0], atol=1e-6)


def test_word_dropout_puts_the_unknown_token_in_and_leaves_padding() -> None:
    keras.utils.set_random_seed(0)
    layer = TokenEmbedding(8, 4, word_dropout=0.5)
    ids = np.tile(np.array([[5, 0]], "int32"), (4000, 1))
    table = ops.convert_to_numpy(layer.embeddings)
    vectors = ops.convert_to_numpy(layer({"token_ids": ids}, training=True))
    dropped = (vectors[:, 0] == table[1]).all(-1)
    assert 0.46 < dropped.mean() < 0.54  # 4,000 draws: three standard deviations are 0.024
    assert (vectors[:, 1] == table[0]).all()
    quiet = ops.convert_to_numpy(layer({"token_ids": ids}, training=False))
    assert (quiet[:, 0] == table[5]).all()
