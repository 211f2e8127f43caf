"""A loop over time on every backend, free of what `keras.ops.scan` asks of its step on TensorFlow.

`keras.ops.scan` wants each step's output in the structure and the shapes of the carry, and keeps the carry in arrays;
a recurrence has a small carry and other things to keep, and at its sizes each operation in the loop is felt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Step = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]


def scan(
    step: Step, carry: Sequence[Any], inputs: Sequence[Any], widths: Sequence[int], *, reverse: bool = False
) -> tuple[list[Any], list[Any]]:
    """Calls `step` for each time step, handing the carry on.

    Args:
        step: Takes the carry and the inputs of one time step, returns the next carry and what to keep of the step.
        carry: Before the first step. `(batch, width)` each
        inputs: At least one. `(time, batch, width)` each
        widths: Width of each tensor that `step` keeps; their dtype is the carry's.
        reverse: Whether to go from the last time step to the first.

    Returns:
        The last carry, and what was kept, in the order of time. `(time, batch, width)` each
    """
    if keras.backend.backend() == "tensorflow":
        return _scan_tensorflow(step, list(carry), list(inputs), widths, reverse)
    last, kept = ops.scan(step, list(carry), list(inputs), reverse=reverse)
    return list(last), list(kept)


def _scan_tensorflow(
    step: Step, carry: list[Any], inputs: list[Any], widths: Sequence[int], reverse: bool
) -> tuple[list[Any], list[Any]]:
    import tensorflow as tf

    time, batch, dtype = tf.shape(inputs[0])[0], inputs[0].shape[1], carry[0].dtype
    sources = [tf.TensorArray(x.dtype, time, element_shape=x.shape[1:]).unstack(x) for x in inputs]
    targets = [tf.TensorArray(dtype, time, element_shape=(batch, width)) for width in widths]
    shapes = [tensor.shape for tensor in carry]

    def body(count: Any, carry: list[Any], targets: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        now = time - 1 - count if reverse else count
        carry, kept = step(carry, [source.read(now) for source in sources])
        for tensor, shape in zip(carry, shapes, strict=True):
            tensor.set_shape(shape)
        return count + 1, carry, [target.write(now, part) for target, part in zip(targets, kept, strict=True)]

    # XLA needs the bound to differentiate the loop; it costs nothing measurable elsewhere.
    _, carry, targets = tf.while_loop(
        lambda count, *_: count < time, body, (0, carry, targets), maximum_iterations=time
    )
    return carry, [target.stack() for target in targets]
