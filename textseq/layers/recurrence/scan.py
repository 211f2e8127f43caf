"""A loop over the steps of a sequence, whose outputs a second loop can read step by step.

`keras.ops.scan` on TensorFlow keeps its carry in arrays too, wants outputs of the carry's shape, and fails where the
number of steps is not known; the loop below does none of it. It also leaves its outputs as they are made, a list with a
tensor for each step: a loop that reads them again copies nothing, and only what is wanted whole is stacked. Elsewhere
Keras's loop is used, whose outputs are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops, tree

from textseq.layers.device import has_gpu

_STEPS_A_TURN_ON_GPU = 5  # of JAX's loop: an LSTM's training step on an H200 took 2.46 ms, with one step a turn 3.57
Step = Callable[[Any, Any], tuple[Any, Any]]
_AS_MADE: ContextVar[bool] = ContextVar("outputs_as_made", default=False)


@contextmanager
def outputs_as_made() -> Iterator[None]:
    """Has TensorFlow's loops write their outputs in the order in which they are made, and turn them round at the end.

    A loop of ONNX knows no other order: a converter takes every write for one at the end, and the outputs of a reverse
    scan would come out back to front without a word.
    """
    before = _AS_MADE.set(True)
    try:
        yield
    finally:
        _AS_MADE.reset(before)


def scan(
    step: Step,
    carry: Any,
    sequences: Any,
    *,
    output_widths: tuple[int, ...],
    output_dtype: str | None = None,
    reverse: bool,
    differentiated: bool = True,
    steps_a_turn: int = 1,
    compiled: bool = False,
) -> tuple[Any, Any]:
    """Runs `step(carry, slices) -> (carry, outputs)` over the first axis of some sequences.

    Args:
        step: One step.
        carry: A tuple of tensors.
        sequences: A nest of tensors `(time, batch, …)`, the first of them whole, and of outputs of an earlier scan.
        output_widths: Last dimension of each output `(batch, width)`.
        output_dtype: Data type of the outputs; None for the carry's.
        reverse: Whether to begin at the end; outputs keep the sequences' order.
        differentiated: Whether the backend may have to make a gradient of the loop, or a converter to read it. Without
            that TensorFlow reads slices, which are no copies but whose gradients are as long as all.
        steps_a_turn: Where that is so, steps that the loop does before it turns. Each makes the graph larger and a
            training begin later; more than one are for steps as small as the turn itself.
        compiled: Whether XLA compiles the loop on TensorFlow; then all sizes have to be known.

    Returns:
        The last carry, and a tuple of outputs, which `stacked` makes whole.
    """
    if keras.backend.backend() != "tensorflow":
        unroll = _STEPS_A_TURN_ON_GPU if has_gpu() else 1
        carry, outputs = ops.scan(step, carry, sequences, reverse=reverse, unroll=unroll)
        return carry, outputs
    dtype = output_dtype or carry[0].dtype
    return _tensorflow_scan(
        step, carry, sequences, output_widths, dtype, reverse, differentiated, steps_a_turn, compiled
    )


def stacked(output: Any, like: Any) -> Any:
    """Returns an output of a scan as one tensor `(time, batch, width)`, its time that of `like`."""
    if not hasattr(output, "stack"):  # whole already
        return output
    whole = output.stack()
    whole.set_shape((like.shape[0], *output.element_shape))
    return whole


def _tensorflow_scan(
    step: Step,
    carry: Any,
    sequences: Any,
    output_widths: tuple[int, ...],
    dtype: Any,
    reverse: bool,
    differentiated: bool,
    steps_a_turn: int,
    compiled: bool,
) -> tuple[Any, Any]:
    import tensorflow as tf

    flat = tree.flatten(sequences)
    time = tf.shape(flat[0])[0] if flat[0].shape[0] is None else flat[0].shape[0]
    batch = carry[0].shape[0]

    def array(dtype: Any, shape: Any) -> Any:
        return tf.TensorArray(dtype, time, element_shape=shape, clear_after_read=False)

    inputs = [array(x.dtype, x.shape[1:]).unstack(x) if differentiated and tf.is_tensor(x) else x for x in flat]
    outputs = tuple(array(dtype, (batch, width)) for width in output_widths)
    if compiled:  # of arrays that are alike XLA makes one, and copies it for each
        contents = [tf.cast(tf.fill((time, batch, width), place), dtype) for place, width in enumerate(output_widths)]
        outputs = tuple(made.unstack(content) for made, content in zip(outputs, contents, strict=True))
    turned = reverse and _AS_MADE.get()
    done = tf.constant(0)
    for steps in (1,) if differentiated or steps_a_turn == 1 else (steps_a_turn, 1):

        def more(done: Any, *_: Any, steps: int = steps) -> Any:
            return done <= time - steps

        def turn(done: Any, carry: Any, outputs: Any, steps: int = steps) -> Any:
            for _ in range(steps):
                place = time - 1 - done if reverse else done
                carry, made = step(carry, tree.pack_sequence_as(sequences, [_at(place, part) for part in inputs]))
                to = done if turned else place
                outputs = tuple(array.write(to, x) for array, x in zip(outputs, made, strict=True))
                done += 1
            return done, carry, outputs

        done, carry, outputs = tf.while_loop(
            more, turn, (done, carry, outputs), parallel_iterations=1, maximum_iterations=None if compiled else time
        )
    if turned:
        outputs = tuple(tf.reverse(made.stack(), [0]) for made in outputs)
    return carry, outputs


def _at(place: Any, part: Any) -> Any:
    import tensorflow as tf

    if isinstance(part, tf.TensorArray):
        return part.read(place)
    begin = tf.reshape(place, (1,))
    return tf.strided_slice(part, begin, begin + 1, shrink_axis_mask=1)
