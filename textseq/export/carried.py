"""The encoder's state as a flat tuple of tensors, which graphs and signatures want in the place of a nest."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import tree

from textseq.errors import UsageError


class Carried:
    """A language model and the shape of its state.

    Args:
        model: The language model.

    Attributes:
        example: The state of one row before the first token; None where the encoder has none.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        try:
            self.example: Any = model.encoder.get_initial_state(1)
        except UsageError:
            self.example = None

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the state of one row, by name."""
        return {
            "_".join(("state", *(str(step) for step in path))): part
            for path, part in tree.flatten_with_path(self.example)
        }

    def first(self, rows: Any) -> tuple[Any, ...]:
        """Returns the state before the first token; empty where the encoder has none."""
        return () if self.example is None else tuple(tree.flatten(self.model.encoder.get_initial_state(rows)))

    def advance(self, token_ids: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """Runs on; without a state, each call stands alone.

        Args:
            token_ids: 0 at padding, which only ends a row. `(batch, time)`
            state: Flat.

        Returns:
            The vectors before the softmax `(batch, time, features)`, and the new state, whose parts have static shapes
            as any batch's have: loops want it so.
        """
        if self.example is None:
            return self.model({"token_ids": token_ids}, training=False), ()
        nest = tree.pack_sequence_as(self.example, list(state))
        hidden, new = self.model.advance({"token_ids": token_ids}, nest)
        parts = zip(tree.flatten(new), tree.flatten(self.example), strict=True)
        return hidden, tuple(tf.ensure_shape(part, (None, *before.shape[1:])) for part, before in parts)
