"""The linear recurrence h' = a ⊙ h + b over time, its factors known beforehand: no product stands in its loop.

All else of a layer that is built on it (minGRU, minLSTM, SRU, RG-LRU) is then a large product, or elementwise, over
every step at once. Its gradient is the same recurrence the other way. A loop over the steps reads each number once;
parallel scans, which read it log(time) times, are slower on a CPU: by 6 at 35 steps and by 3 at 200.

Source: Martin & Cundy 2018, https://arxiv.org/abs/1709.04057.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.recurrence.scan import Step, scan, stacked
from textseq.layers.upstream import upstream_of

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
    (final,), made = scan(_step, (initial,), (decay, added), output_widths=(initial.shape[-1],), reverse=reverse)
    return stacked(made[0], decay), final


def _step(state: Any, now: Any) -> Any:
    new = now[0] * state[0] + now[1]
    return (new,), (new,)


def _differentiable(reverse: bool) -> Any:
    @ops.custom_gradient
    def forward(decay: Any, added: Any, initial: Any) -> Any:
        states, _ = _over_time(_step, initial, (decay, added), reverse)

        def backward(*args: Any, upstream: Any = None) -> Any:
            (d_states,) = upstream_of(args, upstream)

            def step_back(d_later: Any, now: Any) -> Any:
                here = now[1] + d_later[0]
                return (now[0] * here,), (here,)

            d_added, d_initial = _over_time(step_back, ops.zeros_like(initial), (decay, d_states), not reverse)
            order = (states[1:], initial[None]) if reverse else (initial[None], states[:-1])
            return d_added * ops.concatenate(order, 0), d_added, d_initial

        return states, backward

    return forward


def _over_time(step: Step, carry: Any, sequences: tuple[Any, Any], reverse: bool) -> tuple[Any, Any]:
    """Returns the one output `(time, batch, units)` of a scan that nobody differentiates, and the last carry."""
    (last,), (made,) = scan(
        step,
        (carry,),
        sequences,
        output_widths=(carry.shape[-1],),
        reverse=reverse,
        differentiated=False,
        steps_a_turn=_STEPS_A_TURN,
    )
    return stacked(made, sequences[0]), last
