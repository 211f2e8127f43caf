"""A layer on the linear recurrence: gates that see the inputs alone, so that no step waits for a product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.observing import observe, observed
from textseq.layers.recurrence.linear import linear_recurrence
from textseq.layers.sums import copies


class LinearLayer(keras.layers.Layer):
    """One such layer over `(time, batch, features)`, forwards or backwards; a subclass writes its equations.

    Each gate is a projection of the inputs, Wx + b, made for every step at once. From the gates a subclass makes the
    factors of h' = a ⊙ h + b, and from the states, where they are not the outputs, the outputs.

    Args:
        units: Width of the state and the outputs.
        reverse: Whether it reads from the end; outputs stay in the inputs' order.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        gates: Names of the projections, in the order in which `coefficients` takes them.
    """

    gates: tuple[str, ...] = ()

    def __init__(self, units: int, *, reverse: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.units, self.reverse = units, reverse

    def build(self, input_shape: Any) -> None:
        """Makes the weights: a Glorot kernel and a bias for each gate."""
        shape = (int(input_shape[-1]), self.units)
        self.kernels = [self._weight(f"{gate}_kernel", shape, "glorot_uniform") for gate in self.gates]
        first = [(gate, self.first_bias(gate)) for gate in self.gates]
        self.biases = [begin and self._weight(f"{gate}_bias", (self.units,), begin) for gate, begin in first]
        self.built = True

    def call(
        self, inputs: Any, real: Any = None, initial_state: Any = None, training: bool | None = None
    ) -> tuple[Any, list[Any]]:
        """Runs over time.

        Args:
            inputs: `(time, batch, features)`
            real: 1.0 at real steps; None where all are. `(time, batch, 1)`
            initial_state: List of one `(batch, units)` tensor; None for the first state.
            training: Whether gradients are to be ours.

        Returns:
            Outputs `(time, batch, units)`, and the final state.
        """
        state = self.get_initial_state(ops.shape(inputs)[1]) if initial_state is None else initial_state
        gates = self._projected(inputs, training)
        decay, added = self.coefficients(inputs, *gates)
        states, final = linear_recurrence(
            decay, added, state[0], mask=real, reverse=self.reverse, own_gradient=bool(training)
        )
        if observed():
            shown = {"kept": decay, "added": added, "state": states}
            batch_first = {name: ops.transpose(tensor, (1, 0, 2)) for name, tensor in shown.items()}
            observe("steps", f"{self.path}, backwards" if self.reverse else str(self.path), **batch_first)
        return self.outputs(states, inputs, *gates), [final]

    def coefficients(self, inputs: Any, *gates: Any) -> tuple[Any, Any]:
        """Returns what is kept of the state, and what is added to it, at each step. `(time, batch, units)` each."""
        raise TypeError(f"{type(self).__name__} defines no coefficients.")

    def outputs(self, states: Any, inputs: Any, *gates: Any) -> Any:
        """Returns the outputs `(time, batch, units)`: the states themselves."""
        return states

    def first_bias(self, gate: str) -> str | None:
        """Returns the initializer of a gate's bias; None where it has none."""
        return "zeros"

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Returns zeros: one `(batch, units)`."""
        return [ops.zeros((batch_size, self.units), self.variable_dtype)]

    def _projected(self, inputs: Any, training: Any) -> list[Any]:
        """Returns the gates' projections of all steps, in the states' data type; a product of rows is the quickest."""
        shape = ops.shape(inputs)
        rows = ops.cast(ops.reshape(inputs, (-1, inputs.shape[-1])), self.compute_dtype)
        uses = copies(rows, len(self.kernels), training=training)
        made = []
        for own, kernel, bias in zip(uses, self.kernels, self.biases, strict=True):
            product = ops.cast(ops.matmul(own, ops.cast(kernel, self.compute_dtype)), self.variable_dtype)
            product = product if bias is None else product + bias
            made.append(ops.reshape(product, (shape[0], shape[1], self.units)))
        return made

    def _weight(self, name: str, shape: tuple[int, ...], initializer: str) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)


def positive(v: Any) -> Any:
    """Returns v + ½ where v is not negative, and sigmoid(v), which meets it there, where it is: g in Feng et al."""
    return ops.where(v >= 0, v + 0.5, ops.sigmoid(v))
