"""Models while they are exported: who is made ready, that answers stay, and that nothing of it lasts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from textseq.encoder import Encoder
from textseq.export.prepared import prepared
from textseq.layers.embedding import TokenEmbedding
from textseq.layers.recurrence import RecurrentStack
from textseq.registry import encoders
from textseq.tasks.classification_model import ClassificationModel

TOKEN_IDS = np.array([[5, 3, 8, 1], [7, 2, 0, 0]], "int32")


class Filtered(Encoder):
    """Something stands between the inputs and the recurrent layers.

    Args:
        units: Width.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.filter = keras.layers.Dense(units)
        self.stack = RecurrentStack("gru", units)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None, **_: Any) -> Any:
        return self.stack(self.filter(inputs), mask=mask, training=training)


def model(encoder: Encoder, *, segments: bool = False) -> ClassificationModel:
    embedding = TokenEmbedding(9, 5, segments=segments)
    return ClassificationModel(embedding, encoder, classes=3, pooling="max", dropout=0.0)


def operations(made: ClassificationModel, batch: Any) -> set[str]:
    import tensorflow as tf

    traced = tf.function(lambda: made(batch, training=False), autograph=False).get_concrete_function()
    graphs = [traced.graph.as_graph_def()]
    return {node.op for graph in graphs for body in graph.library.function for node in body.node_def}


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer", "filtered"])
def test_answers_stay_and_the_model_is_as_it_was_afterwards(name: str) -> None:
    encoder = Filtered(6) if name == "filtered" else encoders.get(name)(units=8)
    made, batch = model(encoder), {"token_ids": TOKEN_IDS}
    before = made(batch, training=False)
    with prepared(made):
        assert made.embedding.passes_ids is (name in ("rnn", "gru", "lstm"))
        np.testing.assert_allclose(made(batch, training=False), before, atol=1e-6)
    assert not made.embedding.passes_ids
    for weight in made.trainable_weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(made(batch, training=False), np.zeros((2, 3)))


def test_rows_are_looked_up_inside_the_loop_and_no_weight_is_cut_at_a_call() -> None:
    made, batch = model(encoders.get("lstm")(units=8)), {"token_ids": TOKEN_IDS}
    made(batch, training=False)
    assert "ResourceGather" not in operations(made, batch)
    with prepared(made):
        assert "ResourceGather" in operations(made, batch)


def test_the_second_text_of_a_pair_keeps_its_vectors() -> None:
    made = model(encoders.get("lstm")(units=8), segments=True)
    batch = {"token_ids": TOKEN_IDS, "segment_ids": np.array([[0, 0, 1, 1], [0, 1, 0, 0]], "int32")}
    before = made(batch, training=False)
    with prepared(made):
        assert not made.embedding.passes_ids
        np.testing.assert_allclose(made(batch, training=False), before, atol=1e-6)


def test_a_failure_inside_leaves_nothing_behind() -> None:
    made = model(encoders.get("gru")(units=8))
    made({"token_ids": TOKEN_IDS}, training=False)

    def fail() -> None:
        with prepared(made):
            raise OSError

    with pytest.raises(OSError, match=r"^$"):
        fail()
    assert not made.embedding.passes_ids
