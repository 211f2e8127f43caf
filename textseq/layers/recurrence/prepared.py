"""A recurrent layer's weights as inference on TensorFlow takes them, made ready once rather than at each call.

Kernels are cut by gate. Where the inputs are rows of a table, such as an embedding, the table is multiplied by the
input kernel beforehand: a step then looks its input projection up, which spares a third of an LSTM's products and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.layers.recurrence.cells import Cell, Parts
from textseq.layers.recurrence.scan import scan, stacked

LARGEST_TABLE = 2**25  # bytes of a table's product, about what a cache holds; larger ones are not made


class PreparedRecurrence:
    """One layer in one direction, for float32.

    Args:
        cell: RNN, GRU or LSTM.
        kernel: `(features, gates·units)`
        recurrent: `(units, gates·units)`
        bias: In the cell's shape.
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.
        table: Rows that inputs are taken from, where they are numbers of rows. `(rows, features)`
    """

    def __init__(
        self,
        cell: Cell,
        kernel: np.ndarray,
        recurrent: np.ndarray,
        bias: np.ndarray,
        *,
        reverse: bool,
        table: np.ndarray | None = None,
    ) -> None:
        self.cell, self.reverse, self.units = cell, reverse, recurrent.shape[0]
        input_bias, recurrent_bias = cell.input_bias(bias), cell.recurrent_bias(bias)
        self.looks_up = table is not None
        self.kernels = self._by_gate(kernel if table is None else table @ kernel + input_bias)
        self.biases = None if self.looks_up else self._by_gate(input_bias)
        self.recurrent_kernels = self._by_gate(recurrent)
        self.recurrent_biases = None if recurrent_bias is None else self._by_gate(recurrent_bias)

    def __call__(self, inputs: Any, initial_state: tuple[Any, ...], real: Any = None) -> tuple[Any, Parts]:
        """Runs over time.

        Args:
            inputs: `(time, batch, features)`, or numbers of a table's rows `(time, batch)`.
            initial_state: Tensors of `(batch, units)`, h first.
            real: True at real steps; None where all are. `(time, batch)`

        Returns:
            Outputs `(time, batch, units)`, and the final state.
        """
        import tensorflow as tf

        recurrent = [tf.convert_to_tensor(kernel) for kernel in self.recurrent_kernels]

        def step(state: Any, now: Any) -> Any:
            given, *mask = now
            projected = tuple(tf.gather(rows, given) for rows in self.kernels) if self.looks_up else given
            before = tuple(tf.matmul(state[0], kernel) for kernel in recurrent)
            if self.recurrent_biases is not None:
                before = tuple(part + own for part, own in zip(before, self.recurrent_biases, strict=True))
            new, _ = self.cell.step(projected, before, state)
            if mask:  # `Select` copies whole rows; `tf.where` would broadcast the mask over the units
                pairs = zip(new, state, strict=True)
                new = tuple(tf.raw_ops.Select(condition=mask[0], x=after, y=skipped) for after, skipped in pairs)
            return new, (new[0],)

        sequences = (inputs if self.looks_up else self._projected(inputs), *([] if real is None else [real]))
        final, (outputs,) = scan(step, initial_state, sequences, output_widths=(self.units,), reverse=self.reverse)
        return stacked(outputs, inputs), final

    def _projected(self, inputs: Any) -> Parts:
        """Returns each gate's projection of all steps, its bias added. `(time, batch, units)` each."""
        import tensorflow as tf

        shape = tf.shape(inputs)
        rows = tf.reshape(inputs, (-1, inputs.shape[-1]))
        return tuple(
            tf.reshape(tf.matmul(rows, kernel) + bias, (shape[0], shape[1], self.units))
            for kernel, bias in zip(self.kernels, self.biases or (), strict=True)
        )

    def _by_gate(self, weight: np.ndarray) -> list[Any]:
        """Returns a weight's blocks as variables, which all signatures of an export share."""
        import tensorflow as tf

        blocks = np.split(np.asarray(weight, "float32"), self.cell.gates, axis=-1)
        return [tf.Variable(np.ascontiguousarray(block), trainable=False) for block in blocks]
