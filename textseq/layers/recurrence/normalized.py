"""Layer-normalised recurrences, left to automatic differentiation: for accuracy, not for speed.

Source: https://arxiv.org/abs/1607.06450, equations 20 to 22.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from textseq.layers.recurrence.cells import Cell
from textseq.layers.recurrence.operation import Constants, Weights
from textseq.layers.recurrence.scan import scan

_EPSILON = 1e-5


class Gains(NamedTuple):
    """What normalisation learns.

    Attributes:
        inputs: Scales the inputs' product. `(blocks * units,)`
        recurrent: Scales the product with h. `(blocks * units,)`
        cell: Scales the LSTM's cell on its way out. `(units,)`
        cell_shift: Is added to it. `(units,)`
    """

    inputs: Any
    recurrent: Any
    cell: Any = None
    cell_shift: Any = None


def recur_normalized(
    cell: Cell,
    inputs: Any,
    states: list[Any],
    weights: Weights,
    gains: Gains,
    constants: Constants,
    *,
    reverse: bool = False,
    operands: str = "float32",
) -> tuple[Any, list[Any]]:
    """Runs a cell over time as `recur` does, both products and the LSTM's cell normalised."""
    dtype = states[0].dtype
    time, batch, features = ops.shape(inputs)
    recurrent, mask = ops.cast(weights.recurrent, operands), constants.mask

    def product(left: Any, right: Any) -> Any:
        return ops.cast(ops.matmul(ops.cast(left, operands), ops.cast(right, operands)), dtype)

    def outwards(c: Any) -> Any:
        return c if gains.cell is None else normalize(c) * gains.cell + gains.cell_shift

    def step(states: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
        h = states[0] if constants.recurrent_dropout is None else states[0] * constants.recurrent_dropout
        through = normalize(product(h, recurrent)) * gains.recurrent
        after, _ = cell.step(now[0], through, states, weights.bias, outwards)
        if mask is not None:
            after = [ops.where(now[1], new, old) for new, old in zip(after, states, strict=True)]
        return after, [after[0]]

    rows = normalize(product(ops.reshape(inputs, (-1, features)), weights.kernel)) * gains.inputs
    projected = ops.reshape(rows + cell.input_bias(weights.bias), (time, batch, recurrent.shape[-1]))
    bools = [] if mask is None else [ops.cast(mask, "bool")]
    last, (outputs,) = scan(step, states, [projected, *bools], [states[0].shape[-1]], reverse=reverse)
    return (outputs if mask is None else outputs * mask), last


def normalize(rows: Any) -> Any:
    """Returns rows with mean 0 and variance 1. `(…, units)`."""
    centred = rows - ops.mean(rows, axis=-1, keepdims=True)
    return centred * ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + _EPSILON)
