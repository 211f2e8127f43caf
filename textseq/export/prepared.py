"""A model whose weights stand ready for an exported graph, as long as that graph is being made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keras import ops

from textseq.layers.recurrence import RecurrentStack
from textseq.model import TextModel


@contextmanager
def prepared(model: TextModel) -> Iterator[None]:
    """Has every recurrent layer of a model traced with weights that are cut, and multiplied by the embedding, already.

    What is traced meanwhile keeps them; afterwards the model is as it was.

    Args:
        model: A built model on TensorFlow, in float32.
    """
    stacks = [layer for layer in model._flatten_layers() if isinstance(layer, RecurrentStack)]
    embedding, entrance = model.embedding, model.encoder.entrance()
    table = None if embedding.segments else ops.convert_to_numpy(embedding.embeddings)
    try:
        for stack in stacks:
            looks_up = stack.prepare(table if stack is entrance else None)
            embedding.passes_ids = embedding.passes_ids or looks_up
        yield
    finally:
        embedding.passes_ids = False
        for stack in stacks:
            stack.unprepare()
