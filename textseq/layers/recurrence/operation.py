"""A recurrence over time as one operation with its own gradient, for any cell.

Forward: the input projection of all steps as large products; then a scan that keeps what the backward pass needs.
Backward: a scan the other way that makes the gradients of the gates' sums only; then each weight's gradient, and the
inputs', as one product over (time·batch).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.recurrence.cells import Cell, Parts
from textseq.layers.recurrence.loops import Run, compiles
from textseq.layers.recurrence.native.operation import native
from textseq.layers.recurrence.products import rows_of
from textseq.layers.recurrence.scan import stacked
from textseq.layers.upstream import upstream_of
from textseq.layers.variables import as_tensor


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
    own_gradient: bool = True,
    natively: bool = False,
) -> tuple[Any, tuple[Any, ...]]:
    """Runs a cell over time.

    Args:
        cell: RNN, GRU or LSTM.
        inputs: `(time, batch, features)`
        weights: Kernel `(features, gates·units)`, recurrent kernel `(units, gates·units)`, bias (the cell's shape).
        initial_state: Tensors of `(batch, units)`, h first.
        mask: True at real steps, False at padded ones, which carry the state on; None where all are real.
            `(time, batch, 1)`
        recurrent_mask: Multiplies h where it enters the recurrent product: recurrent dropout. `(batch, units)`
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.
        operands: Data type of the products' factors; sums and states stay as they are.
        own_gradient: Whether the gradient is ours, for training. Without it nothing is kept for a backward pass, the
            graph can be saved, and a gradient is the backend's own.
        natively: Whether, with a gradient of ours, the loops are those compiled for this processor; all is in float32.

    Returns:
        The outputs `(time, batch, units)` and the final state.
    """
    kernel, recurrent, bias = map(as_tensor, weights)
    alone = own_gradient and not natively and compiles(cell, inputs.shape[0], initial_state[0], operands)
    run = Run(cell, reverse, operands, mask is not None, recurrent_mask is not None, keep=own_gradient, alone=alone)
    nothing = ops.ones((1, 1, 1), initial_state[0].dtype)
    real = nothing if mask is None else ops.cast(mask, nothing.dtype)
    drop = nothing if recurrent_mask is None else recurrent_mask
    if own_gradient:
        operation = native(run) if natively else _differentiable(run)
        outputs, *final = operation(inputs, kernel, recurrent, bias, real, drop, *initial_state)
    else:
        outputs, final, _ = _forward(run, inputs, kernel, recurrent, bias, real, drop, initial_state)
    return outputs, tuple(final)


def shown(
    cell: Cell,
    inputs: Any,
    weights: tuple[Any, Any, Any],
    initial_state: tuple[Any, ...],
    *,
    mask: Any = None,
    reverse: bool = False,
    operands: str = "float32",
) -> dict[str, Any]:
    """Returns, by name, the gates and states of each step `(time, batch, units)`; the arguments are those of `recur`.

    At padded steps they are what the step would have made, had it counted.
    """
    kernel, recurrent, bias = map(as_tensor, weights)
    run = Run(cell, reverse, operands, masked=mask is not None, dropped=False, keep=True, alone=False)
    nothing = ops.ones((1, 1, 1), initial_state[0].dtype)
    real = nothing if mask is None else ops.cast(mask, nothing.dtype)
    _, _, kept = _forward(run, inputs, kernel, recurrent, bias, real, nothing, initial_state)
    parts = tuple(stacked(part, inputs) for part in kept)
    return cell.shown(parts[cell.states :], parts[: cell.states])


def _forward(
    run: Run, inputs: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, drop: Any, initial: Any
) -> tuple[Any, Parts, Parts]:
    """Returns the outputs, the final state and, to keep for the backward pass, the states before and the rest."""
    product = run.product(initial[0].dtype, recurrent.shape[0])
    projected = product.of_all_steps(inputs, kernel, run.cell.input_bias(bias))
    recurrent_bias = run.cell.recurrent_bias(bias)
    final, trace = run.forwards(
        projected, ops.cast(recurrent, run.operands), recurrent_bias, run.masks(mask), drop, tuple(initial)
    )
    return stacked(trace[0], inputs), final, tuple(trace[1:])


def _differentiable(run: Run) -> Any:
    cell = run.cell

    @ops.custom_gradient
    def forward(inputs: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, drop: Any, *initial: Any) -> Any:
        product = run.product(initial[0].dtype, recurrent.shape[0])
        outputs, final, kept = _forward(run, inputs, kernel, recurrent, bias, mask, drop, initial)
        states_before, saved = kept[: cell.states], kept[cell.states :]

        def backward(*args: Any, upstream: Any = None) -> Any:
            d_outputs, *d_final = upstream_of(args, upstream)
            kernels = product.turned_by_gate(recurrent)
            first, d_sums = run.back(d_outputs, states_before, saved, run.masks(mask), kernels, drop, tuple(d_final))
            rows = rows_of(stacked(d_sums[0], inputs))  # from here on, large products only
            recurrent_rows = rows if len(d_sums) == 1 else rows_of(stacked(d_sums[1], inputs))
            h_before = stacked(states_before[0], inputs)
            d_inputs = ops.reshape(product.one(rows, kernel, second_turned=True), ops.shape(inputs))
            d_kernel = product.one(rows_of(inputs), rows, first_turned=True)
            entering = rows_of(h_before * drop if run.dropped else h_before)
            d_weights = product.one(entering, recurrent_rows, first_turned=True)
            sums = product.sum_of_rows(rows)
            d_bias = cell.bias_gradient(sums, sums if len(d_sums) == 1 else product.sum_of_rows(recurrent_rows))
            nothing = (ops.zeros_like(mask), ops.zeros_like(drop))
            return (ops.cast(d_inputs, inputs.dtype), d_kernel, d_weights, d_bias, *nothing, *first)

        return (outputs, *final), backward

    return forward
