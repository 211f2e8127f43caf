"""Stock Keras: the layers that come with it, in a plain functional model with the loss everyone uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from benchmark.batches import CLASSES, make_batches
from benchmark.contenders.keras_step import train_step
from benchmark.specification import Contender, Model

_RECURRENT = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does one training step."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16" if contender.precision == "bfloat16" else "float32")
    labelled = model.task == "classification"
    recurrent = _recurrent(model, xla=bool(contender.xla))
    made = make_classifier(model, recurrent) if labelled else _language_model(model, recurrent)
    optimizer: Any = keras.optimizers.Adam(1e-3) if labelled else keras.optimizers.SGD(model.rate, global_clipnorm=5.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer, loss, jit_compile="auto" if contender.xla is None else contender.xla)
    if contender.xla and not made.jit_compile:
        raise RuntimeError("Keras refuses to compile this model with XLA")
    target = "labels" if labelled else "targets"
    return train_step(made, [(batch["token_ids"], batch[target]) for batch in make_batches(model, cycle)])


def _recurrent(model: Model, *, xla: bool) -> Callable[[int], Any]:
    """Returns what makes a recurrent layer; those that may turn to cuDNN would refuse XLA, GPU or not."""
    more = {"use_cudnn": False} if xla and model.encoder in ("lstm", "gru") else {}
    return lambda units: _RECURRENT[model.encoder](units, return_sequences=True, **more)


def _language_model(model: Model, recurrent: Callable[[int], Any]) -> keras.Model:
    tokens = keras.Input((model.time,), dtype="int32")
    hidden = layers.Embedding(model.vocabulary, model.embedding or model.units)(tokens)
    if model.encoder == "transformer":
        hidden = _transformer(model, hidden, model.time, causal=True)
    else:
        for _ in range(model.depth):
            hidden = recurrent(model.units)(hidden)
    return keras.Model(tokens, layers.Dense(model.vocabulary)(hidden))


def make_classifier(model: Model, recurrent: Callable[[int], Any] | None = None) -> keras.Model:
    """Returns a classifier of masked rows that pools their mean and gives logits.

    Args:
        model: Sizes.
        recurrent: Makes a recurrent layer of so many units; as the encoder is named unless given.
    """
    recurrent = recurrent or _recurrent(model, xla=False)
    tokens = keras.Input((None,), dtype="int32")
    hidden = layers.Embedding(model.vocabulary, model.embedding or model.units, mask_zero=True)(tokens)
    if model.encoder == "transformer":
        hidden = _transformer(model, hidden, 512, causal=False)
    else:
        for _ in range(model.depth):
            layer = recurrent(model.units) if model.causal else layers.Bidirectional(recurrent(model.units // 2))
            hidden = layer(hidden)
    pooled = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(tokens, layers.Dense(CLASSES)(pooled))


def _transformer(model: Model, hidden: Any, longest: int, *, causal: bool) -> Any:
    hidden = _Positions(longest)(hidden)
    for _ in range(model.depth):
        normed = layers.LayerNormalization(epsilon=1e-5)(hidden)
        attention = layers.MultiHeadAttention(model.heads, model.units // model.heads)
        hidden = layers.Add()([hidden, attention(normed, normed, use_causal_mask=causal)])
        wide = layers.Dense(4 * model.units, activation="gelu")(layers.LayerNormalization(epsilon=1e-5)(hidden))
        hidden = layers.Add()([hidden, layers.Dense(model.units)(wide)])
    return layers.LayerNormalization(epsilon=1e-5)(hidden)


class _Positions(layers.Layer):
    """Adds a learned vector to each place.

    Args:
        longest: Places there are.
    """

    def __init__(self, longest: int) -> None:
        super().__init__(name="positions")  # its own name begins with what a graph does not take
        self.longest = longest
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes the vectors."""
        self.vectors = self.add_weight(shape=(self.longest, input_shape[-1]), initializer="uniform", name="vectors")

    def call(self, inputs: Any) -> Any:
        """Returns `(batch, time, features)`."""
        return inputs + self.vectors[: keras.ops.shape(inputs)[1]]
