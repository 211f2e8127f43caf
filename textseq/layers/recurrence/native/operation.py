"""A recurrence over time by the compiled loops: the same operation as `textseq.layers.recurrence.operation.recur`."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.recurrence.cells import Cell
from textseq.layers.recurrence.native.loops import Loops
from textseq.layers.recurrence.operation import upstream_of
from textseq.layers.recurrence.products import Product, rows_of
from textseq.layers.variables import as_tensor


def recur_natively(
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
    """Runs a cell over time, for training; arguments and outcome are those of `recur`, all in float32."""
    kernel, recurrent, bias = map(as_tensor, weights)
    loops = Loops(cell, reverse, operands, mask is not None, recurrent_mask is not None)
    nothing = ops.ones((1, 1, 1), "float32")
    real = nothing if mask is None else ops.cast(mask, "float32")
    drop = nothing[0] if recurrent_mask is None else recurrent_mask
    outputs, *final = _differentiable(loops)(inputs, kernel, recurrent, bias, real, drop, *initial_state)
    return outputs, tuple(final)


def _differentiable(loops: Loops) -> Any:
    last = 0 if loops.reverse else -1
    product = Product(loops.operands, "float32", loops.cell.gates, None)

    @ops.custom_gradient
    def forward(inputs: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, drop: Any, *initial: Any) -> Any:
        shape, rows = ops.shape(inputs), rows_of(inputs)
        projected = ops.reshape(product.one(rows, kernel), (shape[0], shape[1], kernel.shape[1]))
        given = loops.given(mask, drop, initial)
        outputs, entering, *kept = loops.forwards(projected, bias, recurrent, given)
        final = tuple(states[last] for states in (outputs, *kept)[: loops.cell.states])

        def backward(*args: Any, upstream: Any = None) -> Any:
            d_outputs, *d_last = upstream_of(args, upstream)
            made = (outputs, *kept)
            d_gates, d_product, d_bias, d_first = loops.back(d_outputs, tuple(d_last), made, recurrent, given)
            d_rows = rows_of(d_gates)
            d_inputs = ops.reshape(product.one(d_rows, kernel, second_turned=True), ops.shape(inputs))
            d_kernel = product.one(rows, d_rows, first_turned=True)
            d_recurrent = product.one(rows_of(entering), rows_of(d_product), first_turned=True)
            nothing = (ops.zeros_like(mask), ops.zeros_like(drop))
            d_bias = ops.reshape(d_bias, bias.shape)
            return (ops.cast(d_inputs, inputs.dtype), d_kernel, d_recurrent, d_bias, *nothing, *d_first)

        return (outputs, *final), backward

    return forward
