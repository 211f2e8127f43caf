"""A recurrence over time as one operation with its own gradient, for any cell.

Forward: the input projection of all steps as one product; then a scan that keeps what the backward pass needs.
Backward: a scan the other way that makes the gradients of the gates' sums only; then each weight's gradient, and the
inputs', as one product over (time·batch).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.recurrence.cells import Cell
from textseq.layers.recurrence.scan import scan


def recur(
    cell: Cell,
    inputs: Any,
    weights: tuple[Any, Any, Any],
    initial_state: tuple[Any, ...],
    *,
    mask: Any = None,
    recurrent_mask: Any = None,
    reverse: bool = False,
    operands: str = "float32",
) -> tuple[Any, tuple[Any, ...]]:
    """Runs a cell over time.

    Args:
        cell: RNN, GRU or LSTM.
        inputs: `(time, batch, features)`
        weights: Kernel `(features, gates·units)`, recurrent kernel `(units, gates·units)`, bias (the cell's shape).
        initial_state: Tensors of `(batch, units)`, h first.
        mask: 1 at real steps, 0 at padded ones, which carry the state on; None where all are real. `(time, batch, 1)`
        recurrent_mask: Multiplies h where it enters the recurrent product: recurrent dropout. `(batch, units)`
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.
        operands: Data type of the products' factors; sums and states stay as they are.

    Returns:
        The outputs `(time, batch, units)` and the final state.
    """
    kernel, recurrent, bias = (ops.multiply(ops.convert_to_tensor(weight), 1.0) for weight in weights)
    drop = ops.ones_like(initial_state[0]) if recurrent_mask is None else recurrent_mask
    core = _differentiable(cell, reverse=reverse, operands=operands, masked=mask is not None)
    real = ops.ones((1, 1, 1), initial_state[0].dtype) if mask is None else mask
    outputs, *final = core(inputs, kernel, recurrent, bias, real, drop, *initial_state)
    return outputs, tuple(final)


def _differentiable(cell: Cell, *, reverse: bool, operands: str, masked: bool) -> Any:
    @ops.custom_gradient
    def forward(inputs: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, drop: Any, *initial: Any) -> Any:
        dtype, units = initial[0].dtype, recurrent.shape[0]
        product = _product(operands, dtype)
        projected = _over_all_steps(product, inputs, kernel) + cell.input_bias(bias)
        recurrent_cast = ops.cast(recurrent, operands)  # once, not at each step
        recurrent_bias = cell.recurrent_bias(bias)

        masks = (mask,) if masked else ()

        def step(carry: Any, now: Any) -> Any:
            state = carry
            before = product(state[0] * drop, recurrent_cast)
            before = before if recurrent_bias is None else before + recurrent_bias
            new, saved = cell.step(now[0], before, state)
            if masked:
                new = tuple(now[1] * a + (1 - now[1]) * b for a, b in zip(new, state, strict=True))
            return new, (*new, saved)

        widths = (units,) * cell.states + (cell.saved * units,)
        final, trace = scan(step, initial, (projected, *masks), output_widths=widths, reverse=reverse)
        states, saved = trace[:-1], trace[-1]

        def backward(*args: Any, upstream: Any = None) -> Any:
            d_outputs, *d_final = _upstream(args, upstream)
            previous = tuple(_shifted(s, first, reverse) for s, first in zip(states, initial, strict=True))
            recurrent_t = ops.transpose(recurrent_cast)

            def step_back(carry: Any, now: Any) -> Any:
                d_out, kept, after, before, *real = now
                d_state = (carry[0] + d_out, *carry[1:])
                through = tuple(real[0] * d for d in d_state) if masked else d_state
                d_gates, d_before = cell.step_back(through, kept, after, before)
                d_recurrent = product(cell.recurrent_gates(d_gates, kept), recurrent_t) * drop
                if masked:
                    d_before = tuple(d + (1 - real[0]) * skip for d, skip in zip(d_before, d_state, strict=True))
                return (d_before[0] + d_recurrent, *d_before[1:]), (d_gates,)

            sequences = (d_outputs, saved, states, previous, *masks)
            widths = (cell.gates * units,)
            first, (d_gates,) = scan(step_back, tuple(d_final), sequences, output_widths=widths, reverse=not reverse)
            d_recurrent = cell.recurrent_gates(d_gates, saved)
            rows = _rows(d_gates)  # from here on, large products only
            d_inputs = _over_all_steps(product, d_gates, ops.transpose(kernel))
            d_kernel = product(ops.transpose(_rows(inputs)), rows)
            d_weights = product(ops.transpose(_rows(previous[0] * drop)), _rows(d_recurrent))
            d_bias = cell.bias_gradient(ops.sum(rows, 0), ops.sum(_rows(d_recurrent), 0))
            return (
                ops.cast(d_inputs, inputs.dtype),
                d_kernel,
                d_weights,
                d_bias,
                ops.zeros_like(mask),
                ops.zeros_like(drop),
                *first,
            )

        return (states[0], *final), backward

    return forward


def _upstream(args: tuple[Any, ...], upstream: Any) -> Any:
    """Returns the gradients of the outputs, which TensorFlow gives one by one and JAX as one tuple."""
    found = args if upstream is None else upstream
    return found[0] if len(found) == 1 and isinstance(found[0], tuple | list) else found


def _product(operands: str, dtype: Any) -> Any:
    return lambda a, b: ops.cast(ops.matmul(ops.cast(a, operands), ops.cast(b, operands)), dtype)


def _rows(sequence: Any) -> Any:
    return ops.reshape(sequence, (-1, sequence.shape[-1]))  # (time·batch, features)


def _over_all_steps(product: Any, sequence: Any, weight: Any) -> Any:
    shape = ops.shape(sequence)
    return ops.reshape(product(_rows(sequence), weight), (shape[0], shape[1], weight.shape[-1]))


def _shifted(states: Any, first: Any, reverse: bool) -> Any:
    """Returns the state before each step."""
    if reverse:
        return ops.concatenate([states[1:], first[None]], 0)
    return ops.concatenate([first[None], states[:-1]], 0)
