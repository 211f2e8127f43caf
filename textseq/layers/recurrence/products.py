"""Products with the kernels of a recurrence's gates, in the form that each backend multiplies fastest."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu
from textseq.layers.one_pass import narrowed
from textseq.layers.recurrence.cells import Parts
from textseq.layers.sums import sum_in_order

_WIDE = 512  # units; below that a step's products are too small to be made of halves, or one for all gates by XLA


class Product:
    """Products with the gates' kernels.

    TensorFlow takes one product a gate, whose outcomes need no cutting apart and which run side by side; XLA one
    product for all gates, whose cutting apart it fuses with what comes next. Where it compiles TensorFlow's loops, each
    gate has one on the way back: of 200 units, one for all took 1.2 times as long; and, where they are narrow, forwards
    too: one for all is cut in two for two cores, which costs more there than it spares. On two cores of an Intel Xeon
    the loop of an LSTM took a quarter less so with 200 units, 3 % less with 320, and 6 % more with 650. Under JAX,
    where XLA compiles all, a step of 2x200 took 4 % more.
    Only the projections of all steps are cut apart in passes of their own; on a processor each gate has a product there
    too, with which a step over masked texts took a hundredth less, and steps of 650 units as long as before.

    Of one or three gates two cores would wait for each other at each step: in training, where they are wide, each gate
    has two products, one for each half of what is summed over. On two cores with AVX-512 the loops of a GRU of 650
    units took a tenth less, of an RNN a sixth; whole steps of an LSTM, which has four gates, took as long as before.

    Args:
        operands: Data type of the factors.
        dtype: Data type of the outcomes.
        gates: Blocks of a kernel.
        units: In training, width of the state; else None.
        whole: Whether XLA compiles the loops also on TensorFlow.
    """

    def __init__(self, operands: str, dtype: Any, gates: int, units: int | None, *, whole: bool = False) -> None:
        self._operands, self._dtype, self._gates = operands, dtype, gates
        self._apart = keras.backend.backend() == "tensorflow" and not whole
        self._whole = whole
        self._whole_of_16_bits = whole and operands == "bfloat16"
        halves = units is not None and units >= _WIDE and units % 2 == 0
        self._each_gate = self._apart or (whole and units is not None and units < _WIDE)  # in the loop forwards
        self._pieces = 2 if self._apart and halves and gates % 2 == 1 and not has_gpu() else 1

    def one(self, a: Any, b: Any, *, first_turned: bool = False, second_turned: bool = False) -> Any:
        """Returns a·b, or aᵀ·b, or a·bᵀ, its factors in the operands' data type."""
        a, b = ops.cast(a, self._operands), ops.cast(b, self._operands)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            return tf.cast(tf.matmul(a, b, transpose_a=first_turned, transpose_b=second_turned), self._dtype)
        a, b = ops.transpose(a) if first_turned else a, ops.transpose(b) if second_turned else b
        return ops.cast(ops.matmul(a, b), self._dtype)

    def factor(self, values: Any) -> Any:
        """Returns values of a step as a factor."""
        return narrowed(values, self._operands) if self._whole else ops.cast(values, self._operands)

    def by_gate(self, kernel: Any, apart: bool) -> list[Any]:
        """Returns a kernel as `__call__` takes it: cut apart, or whole."""
        kernel = ops.cast(kernel, self._operands)
        return list(ops.split(kernel, self._gates, axis=-1)) if apart and self._gates > 1 else [kernel]

    def __call__(self, a: Any, kernels: list[Any]) -> Parts:
        """Returns the product of a `(rows, features)` with each gate's kernel."""
        return self.apart(self._with_each(a, kernels))

    def apart(self, parts: Parts) -> Parts:
        """Returns what is there of each gate, cut apart where it is one for all."""
        return parts if len(parts) == self._gates else tuple(ops.split(parts[0], self._gates, axis=-1))

    def _with_each(self, a: Any, kernels: list[Any]) -> Parts:
        a = ops.cast(a, self._operands)
        return tuple(ops.cast(ops.matmul(a, kernel), self._dtype) for kernel in kernels)

    def of_steps(self, kernel: Any) -> list[Any]:
        """Returns a recurrent kernel as `of_step` takes it."""
        kernels = self.by_gate(kernel, self._each_gate)
        return kernels if self._pieces == 1 else [half for one in kernels for half in ops.split(one, 2, axis=0)]

    def of_step(self, h: Any, kernels: list[Any], after: Any) -> Parts:
        """Returns the product of `(batch, units)` with each gate's kernel; `after` is what `sum_in_order` waits for."""
        if self._whole:
            factor = self.factor(h)
            return self.apart(tuple(self._step(factor, kernel) for kernel in kernels))
        if self._pieces == 1:
            return self(h, kernels)
        halves = ops.split(ops.cast(h, self._operands), 2, -1)
        parts = [self.one(half, kernel) for half, kernel in zip(halves * self._gates, kernels, strict=True)]
        return tuple(sum_in_order([a, b], after) for a, b in zip(parts[::2], parts[1::2], strict=True))

    def turned_by_gate(self, kernel: Any) -> list[Any]:
        """Returns a kernel as `turned` takes it: turned once and not at each step, where that takes time."""
        kernel, pieces = ops.cast(kernel, self._operands), self._pieces * self._gates
        if self._whole_of_16_bits:  # XLA turns it in the product in no time
            return list(ops.split(kernel, pieces, axis=1))
        kernel, apart = ops.transpose(kernel), keras.backend.backend() == "tensorflow"
        return list(ops.split(kernel, pieces, axis=0)) if apart and pieces > 1 else [kernel]

    def turned(self, parts: Parts, joined: Any, kernels: list[Any]) -> Any:
        """Returns the sum of each gate's part times its turned kernel; `joined` is the parts side by side."""
        if len(kernels) == 1:
            return self._step(parts[0] if len(parts) == 1 else joined, kernels[0], self._whole_of_16_bits)
        if self._pieces > 1:
            parts = tuple(half for part in parts for half in ops.split(part, 2, -1))
        products = [self._step(a, b, self._whole_of_16_bits) for a, b in zip(parts, kernels, strict=True)]
        return sum_in_order(products, joined)

    def _step(self, a: Any, b: Any, second_turned: bool = False) -> Any:
        """Returns a·b or a·bᵀ of factors, in the outcomes' data type."""
        if not self._whole_of_16_bits:
            return self.one(a, b)
        import tensorflow as tf

        # Told to round the outcome to 16 bits too, XLA takes 1.5 times as long.
        return tf.raw_ops.BatchMatMulV3(x=a, y=b, Tout=self._dtype, adj_y=second_turned)

    def sum_of_rows(self, rows: Any) -> Any:
        """Returns the sum over the first axis; on TensorFlow as a product, which takes it less time than a sum."""
        if keras.backend.backend() != "tensorflow":
            return ops.sum(ops.cast(rows, self._dtype), 0)
        return self.one(ops.ones((1, ops.shape(rows)[0]), rows.dtype), rows)[0]

    def of_all_steps(self, sequence: Any, kernel: Any, bias: Any) -> Parts:
        """Returns the gates' projections of a sequence, biases added. `(time, batch, units)` each, or one for all."""
        shape, rows = ops.shape(sequence), rows_of(sequence)
        if self._whole:
            parts, biases = self._with_each(rows, self.by_gate(kernel, apart=False)), [bias]
        else:
            parts = self(rows, self.by_gate(kernel, self._apart or not has_gpu()))
            biases = ops.split(bias, self._gates)
        return tuple(
            ops.reshape(part + own, (shape[0], shape[1], part.shape[-1]))
            for part, own in zip(parts, biases, strict=True)
        )


def rows_of(sequence: Any) -> Any:
    """Returns a sequence `(time, batch, features)` as rows `(time·batch, features)`."""
    return ops.reshape(sequence, (-1, sequence.shape[-1]))
