"""A recurrent layer's weights as inference on TensorFlow takes them, made ready once rather than at each call.

Where the inputs are rows of a table, such as an embedding, the table is multiplied by the input kernel beforehand: a
step then looks its input projection up, which spares a third of an LSTM's products and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from textseq.layers.recurrence.cells import Cell, Parts

LARGEST_TABLE = 2**25  # bytes of a table's product, about what a cache holds; larger ones are not made
_STEPS_A_TURN = 8


class PreparedRecurrence:
    """One layer in one direction, for float32.

    Args:
        cell: RNN, GRU or LSTM.
        kernel: `(features, gates·units)`
        recurrent: `(units, gates·units)`
        bias: In the cell's shape.
        reverse: Whether time runs backwards; the outputs stay in the inputs' order.
        apart: Whether each gate has a product of its own, for cores that would have nothing else to do. One product
            for all costs fewer operations, and suits a direction beside which the other runs.
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
        apart: bool,
        table: np.ndarray | None = None,
    ) -> None:
        self.cell, self.reverse, self.units = cell, reverse, recurrent.shape[0]
        self.apart = apart and cell.gates > 1
        self.looks_up = table is not None
        input_bias, recurrent_bias = cell.input_bias(bias), cell.recurrent_bias(bias)
        self.kernels = self._blocks(kernel if table is None else table @ kernel + input_bias)
        self.biases = [] if self.looks_up else self._blocks(input_bias)
        self.recurrent_kernels = self._blocks(recurrent)
        self.recurrent_biases = [] if recurrent_bias is None else self._blocks(recurrent_bias)

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

        projected = () if self.looks_up else self._projected(inputs)

        def now(place: Any, state: Parts) -> Parts:
            given = self._looked_up(tf.gather(inputs, place)) if self.looks_up else _slices(projected, place)
            return self._step(given, state)

        def now_if_real(place: Any, state: Parts) -> Parts:
            mask = tf.gather(real, place)  # `Select` copies whole rows; `tf.where` would spread the mask over the units
            pairs = zip(now(place, state), state, strict=True)
            return tuple(tf.raw_ops.Select(condition=mask, x=after, y=skipped) for after, skipped in pairs)

        if inputs.shape[0] == 1:
            final = (now if real is None else now_if_real)(0, initial_state)
            return final[0][None], final
        if real is None:
            return self._loops(now, initial_state, inputs)
        # A text alone has no padding; the mask costs it a twentieth of its time, and many rows of one length a third.
        outputs, final = tf.cond(
            tf.reduce_all(real),
            lambda: self._loops(now, initial_state, inputs),
            lambda: self._loops(now_if_real, initial_state, inputs),
        )
        return outputs, final

    def _loops(self, now: Callable[[Any, Parts], Parts], state: Parts, inputs: Any) -> tuple[Any, Parts]:
        """Goes through time several steps a turn, and through what is left one by one; each turn has its price."""
        import tensorflow as tf

        time, on = tf.shape(inputs)[0], -1 if self.reverse else 1
        outputs = tf.TensorArray(tf.float32, time, element_shape=(state[0].shape[0], self.units))
        place = time - 1 if self.reverse else 0
        for steps in (_STEPS_A_TURN, 1):

            def more(place: Any, *_: Any, steps: int = steps) -> Any:
                return place >= steps - 1 if self.reverse else place <= time - steps

            def turn(place: Any, state: Parts, outputs: Any, steps: int = steps) -> Any:
                for _ in range(steps):
                    state = now(place, state)
                    outputs = outputs.write(place, state[0])
                    place += on
                return place, state, outputs

            place, state, outputs = tf.while_loop(more, turn, (place, state, outputs), parallel_iterations=1)
        whole = outputs.stack()
        whole.set_shape((inputs.shape[0], *outputs.element_shape))
        return whole, state

    def _step(self, given: Parts, state: Parts) -> Parts:
        """Returns the new state. Variables are read here, in the loop, where a tensor would be handed round."""
        import tensorflow as tf

        before = tuple(tf.matmul(state[0], kernel) for kernel in self.recurrent_kernels)
        if self.recurrent_biases:
            before = tuple(part + bias for part, bias in zip(before, self.recurrent_biases, strict=True))
            return self.cell.step(self._by_gate(given), self._by_gate(before), state)[0]
        sums = tuple(part + other for part, other in zip(given, before, strict=True))
        return self.cell.step_of_sums(self._by_gate(sums), state)[0]

    def _looked_up(self, numbers: Any) -> Parts:
        import tensorflow as tf

        return tuple(tf.gather(rows, numbers) for rows in self.kernels)

    def _projected(self, inputs: Any) -> Parts:
        """Returns the projections of all steps, biases added. `(time, batch, …)` each."""
        import tensorflow as tf

        shape = tf.shape(inputs)
        rows = tf.reshape(inputs, (-1, inputs.shape[-1]))
        return tuple(
            tf.reshape(tf.matmul(rows, kernel) + bias, (shape[0], shape[1], kernel.shape[-1]))
            for kernel, bias in zip(self.kernels, self.biases, strict=True)
        )

    def _by_gate(self, parts: Parts) -> Parts:
        if self.apart:
            return parts
        import tensorflow as tf

        return tuple(tf.split(parts[0], self.cell.gates, -1))

    def _blocks(self, weight: np.ndarray) -> list[Any]:
        """Returns a weight, whole or by gate, as variables, which all signatures of an export share."""
        import tensorflow as tf

        blocks = np.split(np.asarray(weight, "float32"), self.cell.gates if self.apart else 1, axis=-1)
        return [tf.Variable(np.ascontiguousarray(block), trainable=False) for block in blocks]


def _slices(sequences: Sequence[Any], place: Any) -> Parts:
    """Returns what stands at one place in time; slices of the first axis are no copies."""
    import tensorflow as tf

    begin = tf.reshape(place, (1,))
    return tuple(tf.strided_slice(sequence, begin, begin + 1, shrink_axis_mask=1) for sequence in sequences)
