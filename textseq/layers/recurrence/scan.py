"""A loop over the steps of a sequence.

`keras.ops.scan` on TensorFlow keeps its carry in arrays too, wants outputs of the carry's shape, and fails where the
number of steps is not known; the loop below does none of it. Elsewhere Keras's is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

Step = Callable[[Any, Any], tuple[Any, Any]]


def scan(step: Step, carry: Any, sequences: Any, *, output_widths: tuple[int, ...], reverse: bool) -> tuple[Any, Any]:
    """Runs `step(carry, slices) -> (carry, outputs)` over the first axis of some sequences.

    Args:
        step: One step.
        carry: A tuple of tensors.
        sequences: A nest of tensors `(time, batch, …)`.
        output_widths: Last dimension of each output `(batch, width)`.
        reverse: Whether to begin at the end; outputs keep the sequences' order.

    Returns:
        The last carry, and a tuple of outputs `(time, batch, width)`.
    """
    if keras.backend.backend() != "tensorflow":
        carry, outputs = ops.scan(step, carry, sequences, reverse=reverse)
        return carry, outputs
    return _tensorflow_scan(step, carry, sequences, output_widths, reverse)


def _tensorflow_scan(
    step: Step, carry: Any, sequences: Any, output_widths: tuple[int, ...], reverse: bool
) -> tuple[Any, Any]:
    import tensorflow as tf

    flat = tree.flatten(sequences)
    static = flat[0].shape[0]
    time = tf.shape(flat[0])[0] if static is None else static
    batch, dtype = carry[0].shape[0], carry[0].dtype
    inputs = [tf.TensorArray(x.dtype, time, element_shape=x.shape[1:]).unstack(x) for x in flat]
    outputs = tuple(tf.TensorArray(dtype, time, element_shape=(batch, width)) for width in output_widths)

    def body(turn: Any, carry: Any, outputs: Any) -> Any:
        place = time - 1 - turn if reverse else turn
        now = tree.pack_sequence_as(sequences, [array.read(place) for array in inputs])
        carry, made = step(carry, now)
        return turn + 1, carry, tuple(array.write(place, x) for array, x in zip(outputs, made, strict=True))

    _, carry, outputs = tf.while_loop(
        lambda turn, *_: turn < time, body, (0, carry, outputs), parallel_iterations=1, maximum_iterations=time
    )
    return carry, tuple(
        _stacked(array, static, batch, width) for array, width in zip(outputs, output_widths, strict=True)
    )


def _stacked(array: Any, time: int | None, batch: int | None, width: int) -> Any:
    stacked = array.stack()
    stacked.set_shape((time, batch, width))
    return stacked
