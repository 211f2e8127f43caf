"""The equations of a step, forward and backward, of RNN, GRU and LSTM, in Keras's order of gates.

Sources: Elman 1990; Cho et al. 2014, https://arxiv.org/abs/1406.1078 (with the reset gate after the product, as in
cuDNN); Hochreiter & Schmidhuber 1997 and Gers et al. 2000 (forget gate).
"""

from __future__ import annotations

from typing import Any

from keras import ops

State = tuple[Any, ...]


class Cell:
    """A step's equations.

    Attributes:
        gates: Blocks of the kernels.
        states: Tensors of the state.
        saved: Blocks of `units` that a step keeps for the backward pass.
        bias_rows: Bias vectors: one, or one for the inputs and one for the recurrent product.
    """

    gates = 1
    states = 1
    saved = 1
    bias_rows = 1

    def input_bias(self, bias: Any) -> Any:
        """Returns the bias added to the input projection."""
        return bias

    def recurrent_bias(self, bias: Any) -> Any:
        """Returns the bias added to the recurrent product; None where there is none."""
        return None

    def bias_gradient(self, gates: Any, recurrent: Any) -> Any:
        """Returns the bias's gradient from the sums of the gates' and the recurrent product's."""
        return gates

    def step(self, projected: Any, recurrent: Any, state: State) -> tuple[State, Any]:
        """Returns the new state, and what the backward pass needs. Both inputs `(batch, gates·units)`."""
        raise TypeError(f"{type(self).__name__} defines no step.")

    def step_back(self, d_state: State, saved: Any, after: State, before: State) -> tuple[Any, State]:
        """Returns the gradients of the gates' sums, and of the state before except through the recurrent product."""
        raise TypeError(f"{type(self).__name__} defines no step_back.")

    def recurrent_gates(self, d_gates: Any, saved: Any) -> Any:
        """Returns the gradient of the recurrent product's result."""
        return d_gates


class RNNCell(Cell):
    """h' = tanh(Wx + Uh + b)."""

    def step(self, projected: Any, recurrent: Any, state: State) -> tuple[State, Any]:
        """Returns h' and itself."""
        h = ops.tanh(projected + recurrent)
        return (h,), h

    def step_back(self, d_state: State, saved: Any, after: State, before: State) -> tuple[Any, State]:
        """Differentiates tanh."""
        return d_state[0] * (1 - saved * saved), (ops.zeros_like(d_state[0]),)


class GRUCell(Cell):
    """z, r = sigmoid(…); g = tanh(Wx + r ⊙ (Uh + b)); h' = z ⊙ h + (1 - z) ⊙ g."""

    gates = 3
    saved = 4
    bias_rows = 2

    def input_bias(self, bias: Any) -> Any:
        """Returns the first row."""
        return bias[0]

    def recurrent_bias(self, bias: Any) -> Any:
        """Returns the second row."""
        return bias[1]

    def bias_gradient(self, gates: Any, recurrent: Any) -> Any:
        """Returns both rows."""
        return ops.stack([gates, recurrent])

    def step(self, projected: Any, recurrent: Any, state: State) -> tuple[State, Any]:
        """Returns h', and z, r, g and the recurrent part of g."""
        xz, xr, xg = ops.split(projected, 3, axis=-1)
        hz, hr, hg = ops.split(recurrent, 3, axis=-1)
        z, r = ops.sigmoid(xz + hz), ops.sigmoid(xr + hr)
        g = ops.tanh(xg + r * hg)
        return (z * state[0] + (1 - z) * g,), ops.concatenate([z, r, g, hg], -1)

    def step_back(self, d_state: State, saved: Any, after: State, before: State) -> tuple[Any, State]:
        """Differentiates the gates."""
        z, r, g, hg = ops.split(saved, 4, axis=-1)
        (dh,), (h,) = d_state, before
        d_g = dh * (1 - z) * (1 - g * g)
        d_z = dh * (h - g) * z * (1 - z)
        d_r = d_g * hg * r * (1 - r)
        return ops.concatenate([d_z, d_r, d_g], -1), (dh * z,)

    def recurrent_gates(self, d_gates: Any, saved: Any) -> Any:
        """Puts the reset gate before the third block."""
        d_z, d_r, d_g = ops.split(d_gates, 3, axis=-1)
        r = ops.split(saved, 4, axis=-1)[1]
        return ops.concatenate([d_z, d_r, d_g * r], -1)


class LSTMCell(Cell):
    """i, f, o = sigmoid(…); g = tanh(…); c' = f ⊙ c + i ⊙ g; h' = o ⊙ tanh(c')."""

    gates = 4
    states = 2
    saved = 4

    def step(self, projected: Any, recurrent: Any, state: State) -> tuple[State, Any]:
        """Returns h' and c', and the gates."""
        i, f, g, o = ops.split(projected + recurrent, 4, axis=-1)
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        c = f * state[1] + i * g
        return (o * ops.tanh(c), c), ops.concatenate([i, f, g, o], -1)

    def step_back(self, d_state: State, saved: Any, after: State, before: State) -> tuple[Any, State]:
        """Differentiates the gates; where a step was masked its gradients are zero, whatever `after` holds."""
        i, f, g, o = ops.split(saved, 4, axis=-1)
        dh, dc = d_state
        tanh_c = ops.tanh(after[1])
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        d_gates = [dc * g * i * (1 - i), dc * before[1] * f * (1 - f), dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)]
        return ops.concatenate(d_gates, -1), (ops.zeros_like(dh), dc * f)


CELLS: dict[str, Cell] = {"rnn": RNNCell(), "gru": GRUCell(), "lstm": LSTMCell()}
