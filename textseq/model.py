"""A text model: embedding → encoder → head, whichever the task, the encoder and the backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from textseq.encoder import Encoder
from textseq.layers.embedding import TokenEmbedding


class TextModel(keras.Model):
    """What every task's model is made of; a task adds its head and its loss.

    Args:
        embedding: Turns a batch's token ids into vectors.
        encoder: Any registered encoder.
        **kwargs: Arguments of `keras.Model`.
    """

    def __init__(self, embedding: TokenEmbedding, encoder: Encoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.encoder = encoder

    def encode(
        self,
        batch: Mapping[str, Any],
        *,
        initial_state: Any = None,
        return_state: bool = False,
        padded: bool = True,
        training: Any = None,
    ) -> tuple[Any, Any, Any]:
        """Embeds and encodes a batch.

        Args:
            batch: `token_ids` (batch, time), 0 at padding, and `segment_ids` (batch, time) for pairs of texts.
            initial_state: The encoder's state before the first token.
            return_state: Whether the state after the last token is wanted.
            padded: Whether a row may end in padding that counts; false spares the encoder the mask.
            training: Whether dropout is on.

        Returns:
            `(encoded (batch, time, units), mask (batch, time) or None, state or None)`.
        """
        mask = keras.ops.not_equal(batch["token_ids"], 0) if padded else None
        embedded = self.embedding(batch, training=training)
        outputs = self.encoder(
            embedded, mask=mask, initial_state=initial_state, return_state=return_state, training=training
        )
        encoded, state = outputs if return_state else (outputs, None)
        return encoded, mask, state

    def ensure_built(self, example: Mapping[str, np.ndarray]) -> None:
        """Creates every weight by one forward pass over two short rows of `example`'s kind, so that it is quick."""
        small = {name: np.zeros_like(array[:2, :4] if array.ndim > 1 else array[:2]) for name, array in example.items()}
        small["token_ids"] = np.ones_like(small["token_ids"])
        self(small, training=False)


def inference(model: keras.Model, function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Compiles `function` once for `model` and keeps it, so that evaluating every epoch traces nothing again."""
    kept = model.__dict__.setdefault("_textseq_inference", {})
    if name not in kept:
        kept[name] = compiled(model, function)
    return kept[name]


def compiled(model: keras.Model, function: Callable[..., Any], *, jit: bool = False) -> Callable[..., Any]:
    """Compiles a function of tensors that uses `model`'s weights, without training.

    Args:
        model: The model whose variables the function reads; their values at each call count.
        function: Takes nests of arrays, returns a nest of tensors.
        jit: Whether TensorFlow compiles with XLA; JAX always does.

    Returns:
        A function of nests of arrays.
    """
    if keras.backend.backend() == "jax":
        return _compiled_jax(model, function)
    import tensorflow as tf

    return tf.function(function, reduce_retracing=True, jit_compile=jit)


def _compiled_jax(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def whole() -> list[Any]:
        return [variable for variable in model.variables if _here(variable.value) is not None]

    @jax.jit
    def stateless(values: list[Any], *arguments: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(whole(), values, strict=True))):
            return function(*arguments)

    return lambda *arguments: stateless([_here(variable.value) for variable in whole()], *arguments)


def _here(value: Any) -> Any:
    """Returns this process's own copy of a value that several processes hold; None where each holds a part of it."""
    if getattr(value, "is_fully_addressable", True):
        return value
    return value.addressable_data(0) if value.is_fully_replicated else None
