"""A recurrence over a whole sequence as one operation with a gradient of its own.

The inputs' projection is one product over all time steps, and so are, after the reverse scan, the gradients of both
kernels, the bias and the inputs: the two scans hold nothing but h·U (its transpose on the way back) and the gates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from textseq.layers.recurrence.cells import Cell
from textseq.layers.recurrence.scan import scan


class Weights(NamedTuple):
    """What a recurrence learns.

    Attributes:
        kernel: `(features, blocks * units)`
        recurrent: `(units, blocks * units)`
        bias: `(blocks * units,)`, or two of them for the GRU
    """

    kernel: Any
    recurrent: Any
    bias: Any


class Constants(NamedTuple):
    """What a recurrence is given without a gradient.

    Attributes:
        mask: 1 at real tokens, 0 at padding; None where all are real. `(time, batch, 1)`
        recurrent_dropout: Factors on h where it enters the product, one for the whole sequence. `(batch, units)`
    """

    mask: Any = None
    recurrent_dropout: Any = None


def recur(
    cell: Cell,
    inputs: Any,
    states: list[Any],
    weights: Weights,
    constants: Constants,
    *,
    reverse: bool = False,
    operands: str = "float32",
) -> tuple[Any, list[Any]]:
    """Runs a cell over time.

    Args:
        cell: The equations.
        inputs: `(time, batch, features)`
        states: Before the first step, in the dtype of all sums. `(batch, units)` each
        weights: Of the states' dtype.
        constants: Mask and dropout.
        reverse: Whether to go from the last time step to the first. The first is then each row's last real token.
        operands: Dtype of what is multiplied in products.

    Returns:
        The outputs, 0 at padding, in the states' dtype `(time, batch, units)`, and the states after the last real
        token.
    """
    present = [part is not None for part in constants]
    given = [part for part in constants if part is not None]

    @ops.custom_gradient
    def run(inputs: Any, kernel: Any, recurrent: Any, bias: Any, *rest: Any) -> Any:
        remaining = iter(rest[cell.states :])
        work = _Recurrence(
            cell,
            inputs,
            list(rest[: cell.states]),
            Weights(kernel, recurrent, bias),
            Constants(*(next(remaining) if there else None for there in present)),
            reverse=reverse,
            operands=operands,
        )

        def gradient(*upstream: Any, **_: Any) -> Any:
            # TensorFlow passes one argument an output, JAX one nest.
            parts = upstream if len(upstream) > 1 else upstream[0]
            return (*work.backward(list(parts)), *(ops.zeros_like(part) for part in given))

        return work.forward(), gradient

    outputs, *last = run(inputs, *weights, *states, *given)
    return outputs, last


class _Recurrence:
    """One run over a batch: the forward scan, then the reverse scan over what it kept."""

    def __init__(
        self,
        cell: Cell,
        inputs: Any,
        states: list[Any],
        weights: Weights,
        constants: Constants,
        *,
        reverse: bool,
        operands: str,
    ) -> None:
        self.cell = cell
        self.inputs = inputs
        self.initial = states
        self.weights = weights
        self.mask, self.dropped = constants
        self.reverse = reverse
        self.operands = operands
        self.dtype = states[0].dtype
        self.units = states[0].shape[-1]
        self.recurrent = ops.cast(weights.recurrent, operands)  # once, not in each step

    def product(self, left: Any, right: Any) -> Any:
        """Multiplies operands of the narrow dtype; the result is in the states' dtype."""
        return ops.cast(ops.matmul(ops.cast(left, self.operands), ops.cast(right, self.operands)), self.dtype)

    def forward(self) -> tuple[Any, ...]:
        """Returns the outputs and the last states."""
        projected = self.project()
        masked = [] if self.mask is None else [self.mask]

        def step(states: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
            h = states[0] if self.dropped is None else states[0] * self.dropped
            after, kept = self.cell.step(now[0], self.product(h, self.recurrent), states, self.weights.bias)
            if masked:
                after[0] = ops.where(now[1], after[0], states[0])
            return after, [*after, *kept]

        widths = [self.units * size for size in (*[1] * self.cell.states, *self.cell.kept)]
        bools = [ops.cast(mask, "bool") for mask in masked]
        last, kept = scan(step, self.initial, [projected, *bools], widths, reverse=self.reverse)
        self.states, self.kept = kept[: self.cell.states], kept[self.cell.states :]
        return (self.states[0] if self.mask is None else self.states[0] * self.mask, *last)

    def project(self) -> Any:
        """Returns the inputs times their kernel, bias added and mask folded in. `(time, batch, blocks * units)`"""
        time, batch, features = ops.shape(self.inputs)
        self.rows = ops.reshape(self.inputs, (-1, features))  # (time * batch, features)
        rows = self.product(self.rows, self.weights.kernel) + self.cell.input_bias(self.weights.bias)
        projected = ops.reshape(rows, (time, batch, self.cell.blocks * self.units))
        return projected if self.mask is None else self.cell.fold(projected, ops.cast(self.mask, "bool"))

    def before(self, states: Any, initial: Any) -> Any:
        """Returns the state before each step from those after each step. `(time, batch, units)`"""
        parts = [states[1:], initial[None]] if self.reverse else [initial[None], states[:-1]]
        return ops.concatenate(parts, axis=0)

    def backward(self, upstream: list[Any]) -> tuple[Any, ...]:
        """Returns the gradients of inputs, kernel, recurrent kernel, bias and initial states."""
        before = [self.before(*pair) for pair in zip(self.states, self.initial, strict=True)]
        slopes = self.cell.slopes(self.states, before, self.kept, self.mask)
        of_initial, kept = self.scan_back(upstream, slopes)
        of_projected, of_product = self.cell.collect(kept, slopes)
        width = self.cell.blocks * self.units
        of_projected, of_product = ops.reshape(of_projected, (-1, width)), ops.reshape(of_product, (-1, width))
        entering = before[0] if self.dropped is None else before[0] * self.dropped
        of_inputs = self.product(of_projected, ops.transpose(self.weights.kernel))
        return (
            ops.cast(ops.reshape(of_inputs, ops.shape(self.inputs)), self.inputs.dtype),
            self.product(ops.transpose(self.rows), of_projected),
            self.product(ops.transpose(ops.reshape(entering, (-1, self.units))), of_product),
            self.cell.bias_gradient(of_projected, of_product),
            *of_initial,
        )

    def scan_back(self, upstream: list[Any], slopes: list[Any]) -> tuple[list[Any], list[Any]]:
        """Runs the reverse scan; returns the gradients of the initial states and what it kept."""
        of_outputs, *of_last = upstream
        transposed = ops.transpose(self.recurrent)
        skipped = []
        if self.mask is not None:
            of_outputs, skipped = of_outputs * self.mask, [1 - self.mask]

        def step(gradients: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
            arrived = [gradients[0] + now[0], *gradients[1:]]
            through, direct, kept = self.cell.step_back(arrived, now[1 + len(skipped) :])
            of_h = self.product(through, transposed)
            if self.dropped is not None:
                of_h = of_h * self.dropped
            if direct[0] is not None:
                of_h = of_h + direct[0]
            elif skipped:
                of_h = of_h + arrived[0] * now[1]
            return [of_h, *direct[1:]], kept

        widths = [self.units * size for size in self.cell.kept_back]
        return scan(step, of_last, [of_outputs, *skipped, *slopes], widths, reverse=not self.reverse)
