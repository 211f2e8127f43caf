"""The linear recurrence h' = a ⊙ h + b over time, its factors known beforehand: no product stands in its loop.

All else of a layer that is built on it (minGRU, minLSTM, SRU, RG-LRU) is then a large product, or elementwise, over
every step at once. Its gradient is the same recurrence the other way. A loop over the steps reads each number once;
parallel scans, which read it log(time) times, are slower on a CPU: by 6 at 35 steps and by 3 at 200.

Source: Martin & Cundy 2018, https://arxiv.org/abs/1709.04057.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textseq.layers.recurrence.operation import upstream_of
from textseq.layers.recurrence.scan import scan, stacked

_STEPS_A_TURN = 4


def linear_recurrence(
    decay: Any, added: Any, initial: Any, *, mask: Any = None, reverse: bool = False, own_gradient: bool = True
) -> tuple[Any, Any]:
    """Runs h' = decay ⊙ h + added over time.

    Args:
        decay: What is kept of the state at each step. `(time, batch, units)`
        added: What is added to it. `(time, batch, units)`
        initial: The state before the first step. `(batch, units)`
        mask: 1 at real steps, 0 at padded ones, which carry the state on; None where all are real. `(time, batch, 1)`
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.
        own_gradient: Whether the gradient is ours, for training. Without it the graph can be saved, and a gradient is
            the backend's own.

    Returns:
        The states `(time, batch, units)`, and the last of them.
    """
    if mask is not None:
        real = mask > 0.5
        decay, added = ops.where(real, decay, 1.0), ops.where(real, added, 0.0)
    if own_gradient:
        states = _differentiable(reverse)(decay, added, initial)
        return states, states[0 if reverse else -1]

    def step(state: Any, now: Any) -> Any:
        new = now[0] * state[0] + now[1]
        return (new,), (new,)

    (final,), made = scan(step, (initial,), (decay, added), output_widths=(initial.shape[-1],), reverse=reverse)
    return stacked(made[0], decay), final


def _differentiable(reverse: bool) -> Any:
    @ops.custom_gradient
    def forward(decay: Any, added: Any, initial: Any) -> Any:
        def step(h: Any, a: Any, b: Any) -> tuple[Any, Any]:
            new = a * h + b
            return new, new

        states, _ = _loop(step, initial, (decay, added), reverse=reverse)

        def backward(*args: Any, upstream: Any = None) -> Any:
            (d_states,) = upstream_of(args, upstream)

            def step_back(d_later: Any, a: Any, d: Any) -> tuple[Any, Any]:
                here = d + d_later
                return here, a * here

            d_added, d_initial = _loop(step_back, ops.zeros_like(initial), (decay, d_states), reverse=not reverse)
            order = (states[1:], initial[None]) if reverse else (initial[None], states[:-1])
            return d_added * ops.concatenate(order, 0), d_added, d_initial

        return states, backward

    return forward


def _loop(
    step: Callable[..., tuple[Any, Any]], carry: Any, sequences: tuple[Any, Any], *, reverse: bool
) -> tuple[Any, Any]:
    """Runs `step(carry, *slices) -> (output, carry)` over time; it is not differentiated.

    Returns:
        The outputs `(time, batch, units)`, and the last carry.
    """
    if keras.backend.backend() != "tensorflow":

        def turned(carry: Any, now: Any) -> tuple[Any, Any]:
            output, carry = step(carry, *now)
            return carry, output

        last, outputs = ops.scan(turned, carry, sequences, reverse=reverse)
        return outputs, last
    return _tensorflow_loop(step, carry, sequences, reverse)


def _tensorflow_loop(
    step: Callable[..., tuple[Any, Any]], carry: Any, sequences: tuple[Any, Any], reverse: bool
) -> tuple[Any, Any]:
    """Reads slices, which are no copies, several steps a turn: a turn costs as much as a step."""
    import tensorflow as tf

    like, on = sequences[0], -1 if reverse else 1
    time = tf.shape(like)[0] if like.shape[0] is None else like.shape[0]
    outputs = tf.TensorArray(carry.dtype, time, element_shape=carry.shape)
    place = tf.constant(0) + (time - 1 if reverse else 0)
    for steps in (_STEPS_A_TURN, 1):

        def more(place: Any, *_: Any, steps: int = steps) -> Any:
            return place >= steps - 1 if reverse else place <= time - steps

        def turn(place: Any, carry: Any, outputs: Any, steps: int = steps) -> Any:
            for _ in range(steps):
                begin = tf.reshape(place, (1,))
                now = (tf.strided_slice(part, begin, begin + 1, shrink_axis_mask=1) for part in sequences)
                output, carry = step(carry, *now)
                outputs = outputs.write(place, output)
                place += on
            return place, carry, outputs

        place, carry, outputs = tf.while_loop(
            more, turn, (place, carry, outputs), parallel_iterations=1, maximum_iterations=time
        )
    whole = outputs.stack()
    whole.set_shape(like.shape)
    return whole, carry
