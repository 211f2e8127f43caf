"""cuDNN's recurrence in place of ours: on a GPU under TensorFlow it is the quicker one, where it can do what is asked.

Under JAX ours is: a step of `lm-lstm-650` took 2.4 ms on an H200, and 4.7 by the cuDNN that Keras reaches there.

It is reached through `keras.layers.LSTM` and `keras.layers.GRU`, which are handed our weights at each call, so that a
run has the same weights whether it was trained on it or not.
"""

from __future__ import annotations

import functools
from typing import Any

import keras

from textseq.layers.device import has_gpu

_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def refusal(cell: str, *, recurrent_dropout: float = 0.0, operands: str = "float32") -> str | None:
    """Returns why a layer does not run on cuDNN on this machine; None where it does.

    Args:
        cell: "rnn", "gru" or "lstm".
        recurrent_dropout: The layer's.
        operands: Data type of its products.
    """
    if keras.backend.backend() != "tensorflow":
        return f"the backend is {keras.backend.backend()}; cuDNN's recurrence is taken under tensorflow only"
    if not has_gpu():
        return "there is no GPU"
    if cell not in _LAYERS:
        return f"cuDNN is taken for gru and lstm, not for {cell}"
    if recurrent_dropout:
        return "cuDNN knows no recurrent dropout (encoder.recurrent_dropout)"
    if operands != "float32":
        return f"TensorFlow's cuDNN recurrence takes float32, not {operands} (training.precision)"
    return None


def recur_stock(
    cell: str,
    inputs: Any,
    weights: tuple[Any, Any, Any],
    initial_state: tuple[Any, ...],
    *,
    mask: Any = None,
    reverse: bool = False,
) -> tuple[Any, tuple[Any, ...]]:
    """Runs Keras's layer, which takes cuDNN where it finds it, with weights of ours.

    Args:
        cell: "gru" or "lstm".
        inputs: `(time, batch, features)`
        weights: Kernel, recurrent kernel and bias.
        initial_state: Tensors of `(batch, units)`, h first.
        mask: 1 at real steps, 0 at padded ones; None where all are real. `(time, batch, 1)`
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.

    Returns:
        The outputs `(time, batch, units)` and the final state.
    """
    from keras import ops

    units, features = int(weights[1].shape[0]), int(inputs.shape[-1])
    layer = _layer(cell, units, features, reverse)
    batch_first = ops.transpose(inputs, (1, 0, 2))
    real = None if mask is None else ops.transpose(mask[..., 0] > 0)
    (outputs, *final), _ = layer.stateless_call(
        list(weights),
        [variable.value for variable in layer.non_trainable_variables],
        batch_first,
        initial_state=list(initial_state),
        mask=real,
    )
    outputs = ops.transpose(outputs, (1, 0, 2))
    return (ops.flip(outputs, 0) if reverse else outputs), tuple(final)


@functools.lru_cache(maxsize=64)
def _layer(cell: str, units: int, features: int, reverse: bool) -> Any:
    """Makes Keras's layer once for each shape; its own weights are never used."""
    layer = _LAYERS[cell](units, return_sequences=True, return_state=True, go_backwards=reverse, dtype="float32")
    layer.build((None, None, features))
    return layer
