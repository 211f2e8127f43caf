"""A recurrence over time by the compiled loops, with its own gradient."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.native import products
from textseq.layers.recurrence.loops import Run
from textseq.layers.recurrence.native.loops import Loops
from textseq.layers.recurrence.products import Product, rows_of
from textseq.layers.upstream import upstream_of


def native(run: Run) -> Any:
    """Returns the operation of a run as `recur` calls it.

    Its input projections are one product for all gates, and come without biases, which the loops add.
    """
    loops, last = Loops(run), 0 if run.reverse else -1
    own = products.refusal(run.operands) is None
    multiply = products.product if own else Product(run.operands, "float32", run.cell.gates, None).one

    @ops.custom_gradient
    def forward(inputs: Any, kernel: Any, recurrent: Any, bias: Any, mask: Any, drop: Any, *initial: Any) -> Any:
        shape, rows = ops.shape(inputs), rows_of(inputs)
        projected = ops.reshape(multiply(rows, kernel), (shape[0], shape[1], kernel.shape[1]))
        given = loops.given(mask, drop, initial)
        outputs, entering, *kept = loops.forwards(projected, bias, recurrent, given)
        final = tuple(states[last] for states in (outputs, *kept)[: run.cell.states])

        def backward(*args: Any, upstream: Any = None) -> Any:
            d_outputs, *d_last = upstream_of(args, upstream)
            made = (outputs, *kept)
            d_gates, d_product, d_bias, d_first = loops.back(d_outputs, tuple(d_last), made, recurrent, given)
            d_rows = rows_of(d_gates)
            d_inputs = ops.reshape(multiply(d_rows, kernel, second_turned=True), ops.shape(inputs))
            d_kernel = multiply(rows, d_rows, first_turned=True)
            d_recurrent = multiply(rows_of(entering), rows_of(d_product), first_turned=True)
            nothing = (ops.zeros_like(mask), ops.zeros_like(drop))
            d_bias = ops.reshape(d_bias, bias.shape)
            return (ops.cast(d_inputs, inputs.dtype), d_kernel, d_recurrent, d_bias, *nothing, *d_first)

        return (outputs, *final), backward

    return forward
