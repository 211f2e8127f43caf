"""One recurrent layer in one direction: its weights, and a call."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from textseq.layers.observing import observe, observed
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.cudnn import recur_stock, refusal
from textseq.layers.recurrence.operation import recur, shown
from textseq.layers.recurrence.prepared import PreparedRecurrence

ForgetBias = Literal["one", "zero", "chrono"]


class RecurrentLayer(keras.layers.Layer):
    """RNN, GRU or LSTM over `(batch, time, features)`, forwards or backwards.

    Padded steps, wherever they are, carry the state over, so that padding changes nothing.

    Args:
        cell: "rnn", "gru" or "lstm".
        units: Width of the state and the outputs.
        reverse: Whether it reads from the end; outputs stay in the inputs' order.
        recurrent_dropout: Fraction of h dropped where it enters the recurrent product, the same at each step.
        weight_dropout: Fraction of the recurrent kernel dropped, the same at each step and for all rows.
        forget_bias: LSTM's forget gates at first: "one" (open), "zero", or "chrono" (open for 1 to `chrono_length`
            steps, Tallec & Ollivier 2018, https://arxiv.org/abs/1804.11188).
        chrono_length: Longest memory that "chrono" begins with, in steps.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        native_refusal: Why training does not run by compiled loops (`native`); None where it does. Whoever sets it to
            None knows that XLA does not compile the step on TensorFlow, where it cannot call them.
    """

    def __init__(
        self,
        cell: str,
        units: int,
        *,
        reverse: bool = False,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        forget_bias: ForgetBias = "one",
        chrono_length: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.cell, self.units, self.reverse = cell, units, reverse
        self.recurrent_dropout, self.weight_dropout = recurrent_dropout, weight_dropout
        self.forget_bias: ForgetBias = forget_bias
        self.chrono_length = chrono_length
        self.seed_generator = keras.random.SeedGenerator()
        self.native_refusal: str | None = "training did not ask for them"
        self._equations = CELLS[cell]
        self._prepared: PreparedRecurrence | None = None

    def build(self, input_shape: Any) -> None:
        """Makes the weights: Glorot kernels, an orthogonal recurrent kernel for each gate."""
        features, units, gates = int(input_shape[-1]), self.units, self._equations.gates

        def blocks(initializer: Any, rows: int) -> Any:
            return lambda shape, dtype=None: ops.concatenate(
                [initializer()((rows, units), dtype=dtype) for _ in range(gates)], -1
            )

        def weight(name: str, shape: tuple[int, ...], initializer: Any) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

        rows = self._equations.bias_rows
        bias_shape = (gates * units,) if rows == 1 else (rows, gates * units)
        self.kernel = weight("kernel", (features, gates * units), blocks(keras.initializers.GlorotUniform, features))
        self.recurrent_kernel = weight(
            "recurrent_kernel", (units, gates * units), blocks(keras.initializers.Orthogonal, units)
        )
        self.bias = weight("bias", bias_shape, lambda shape, dtype=None: self._first_bias(shape, dtype))
        self.built = True

    def call(
        self,
        inputs: Any,
        real: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Runs over time.

        Args:
            inputs: `(time, batch, features)`; numbers of rows `(time, batch)` once it is prepared for a table.
            real: 1.0 at real steps; None where all are. `(time, batch, 1)`
            initial_state: List of `(batch, units)` tensors; None for zeros.
            training: Whether dropout is on.

        Returns:
            Outputs `(time, batch, units)`, and the final state.
        """
        batch = ops.shape(inputs)[1]
        state = self.get_initial_state(batch) if initial_state is None else initial_state
        if observed():
            self._show(inputs, real, state)
        if self._prepared is not None:
            outputs, final = self._prepared(inputs, tuple(state), None if real is None else real[..., 0] > 0.5)
            return outputs, list(final)
        weights = (self.kernel, self._recurrent_weights(training), self.bias)
        if self.cudnn_refusal is None:
            weights = tuple(map(ops.convert_to_tensor, weights))
            outputs, final = recur_stock(self.cell, inputs, weights, tuple(state), mask=real, reverse=self.reverse)
            return outputs, list(final)
        drop = None
        if training and self.recurrent_dropout:
            ones = ops.ones((batch, self.units), self.variable_dtype)
            drop = keras.random.dropout(ones, self.recurrent_dropout, seed=self.seed_generator)
        outputs, final = recur(
            self._equations,
            inputs,
            weights,
            tuple(state),
            mask=real,
            recurrent_mask=drop,
            reverse=self.reverse,
            operands=self.compute_dtype,
            own_gradient=bool(training),
            natively=self.native_refusal is None,
        )
        return outputs, list(final)

    def prepare(self, table: np.ndarray | None = None, *, apart: bool = True) -> None:
        """Makes the weights of now ready for inference on TensorFlow in float32, which is all it does from now on.

        Args:
            table: Rows `(rows, features)` that inputs are the numbers of from now on; None where they stay vectors.
            apart: Whether each gate has a product of its own; see `PreparedRecurrence`.
        """
        weights = [ops.convert_to_numpy(weight) for weight in (self.kernel, self.recurrent_kernel, self.bias)]
        self._prepared = PreparedRecurrence(self._equations, *weights, reverse=self.reverse, apart=apart, table=table)

    def unprepare(self) -> None:
        """Goes back to the weights as they are trained."""
        self._prepared = None

    @property
    def cudnn_refusal(self) -> str | None:
        """Why this layer does not run on cuDNN on this machine; None where it does."""
        return refusal(self.cell, recurrent_dropout=self.recurrent_dropout, operands=self.compute_dtype)

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Returns zeros: h, and c for an LSTM. `(batch, units)` each."""
        return [ops.zeros((batch_size, self.units), self.variable_dtype) for _ in range(self._equations.states)]

    def _recurrent_weights(self, training: Any) -> Any:
        if not (training and self.weight_dropout):
            return self.recurrent_kernel
        whole = ops.convert_to_tensor(self.recurrent_kernel)
        return keras.random.dropout(whole, self.weight_dropout, seed=self.seed_generator)

    def _show(self, inputs: Any, real: Any, state: Any) -> None:
        weights, operands = (self.kernel, self.recurrent_kernel, self.bias), self.compute_dtype
        steps = shown(
            self._equations, inputs, weights, tuple(state), mask=real, reverse=self.reverse, operands=operands
        )
        batch_first = {name: ops.transpose(tensor, (1, 0, 2)) for name, tensor in steps.items()}
        observe("steps", f"{self.path}, backwards" if self.reverse else str(self.path), **batch_first)

    def _first_bias(self, shape: Any, dtype: Any) -> Any:
        bias = np.zeros(shape)
        units = self.units
        if self.cell == "lstm" and self.forget_bias == "one":
            bias[units : 2 * units] = 1.0
        elif self.cell == "lstm" and self.forget_bias == "chrono":
            draw = keras.random.uniform(
                (units,), 1.0, max(self.chrono_length - 1.0, 1.0 + 1e-6), seed=self.seed_generator
            )
            forget = np.log(ops.convert_to_numpy(draw))
            bias[units : 2 * units], bias[:units] = forget, -forget
        return ops.convert_to_tensor(bias, dtype)
