"""The equations of a step, forward and backward, of RNN, GRU and LSTM, in Keras's order of gates.

Sources: Elman 1990; Cho et al. 2014, https://arxiv.org/abs/1406.1078 (with the reset gate after the product, as in
cuDNN); Hochreiter & Schmidhuber 1997 and Gers et al. 2000 (forget gate).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.recurrence.slopes import sigmoid_gradient, tanh_gradient

Parts = tuple[Any, ...]  # one tensor (batch, units) for each gate, or for each part of the state


class Cell:
    """A step's equations.

    Attributes:
        gates: Blocks of the kernels.
        states: Tensors of the state.
        saved: Tensors that a step keeps for the backward pass.
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

    def step(self, projected: Parts, recurrent: Parts, state: Parts) -> tuple[Parts, Parts]:
        """Returns the new state, and what the backward pass needs beside the state before."""
        return self.step_of_sums(tuple(own + other for own, other in zip(projected, recurrent, strict=True)), state)

    def step_of_sums(self, sums: Parts, state: Parts) -> tuple[Parts, Parts]:
        """Does the same from projection and recurrent product added, which suffices where there is one bias."""
        raise TypeError(f"{type(self).__name__} defines no step_of_sums.")

    def shown(self, saved: Parts, before: Parts) -> dict[str, Any]:
        """Returns, by name, what is worth looking at in what a step kept and in the state before it."""
        return {}

    def step_back(self, d_state: Parts, saved: Parts, before: Parts) -> tuple[Parts, Parts, Parts]:
        """Differentiates a step.

        Returns:
            The gradients of the gates' sums; of the recurrent product's result; and of the state before, except through
            the recurrent product (None for a part that reaches the step only through it).
        """
        raise TypeError(f"{type(self).__name__} defines no step_back.")


class RNNCell(Cell):
    """h' = tanh(Wx + Uh + b)."""

    def step_of_sums(self, sums: Parts, state: Parts) -> tuple[Parts, Parts]:
        """Returns h' and itself."""
        h = ops.tanh(sums[0])
        return (h,), (h,)

    def shown(self, saved: Parts, before: Parts) -> dict[str, Any]:
        """Returns h'."""
        return {"state": saved[0]}

    def step_back(self, d_state: Parts, saved: Parts, before: Parts) -> tuple[Parts, Parts, Parts]:
        """Differentiates tanh."""
        d_gates = (tanh_gradient(saved[0], d_state[0]),)
        return d_gates, d_gates, (None,)


class GRUCell(Cell):
    """z, r = sigmoid(…); g = tanh(Wx + r ⊙ (Uh + b)); h' = z ⊙ h + (1 - z) ⊙ g = g + z ⊙ (h - g)."""

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

    def step(self, projected: Parts, recurrent: Parts, state: Parts) -> tuple[Parts, Parts]:
        """Returns h', and z, r, g and the recurrent part of g."""
        z, r = ops.sigmoid(projected[0] + recurrent[0]), ops.sigmoid(projected[1] + recurrent[1])
        g = ops.tanh(projected[2] + r * recurrent[2])
        return (g + z * (state[0] - g),), (z, r, g, recurrent[2])

    def shown(self, saved: Parts, before: Parts) -> dict[str, Any]:
        """Returns the gates and h'; an update gate of 1 keeps what was there."""
        z, r, g, _ = saved
        return {"update_gate": z, "reset_gate": r, "state": g + z * (before[0] - g)}

    def step_back(self, d_state: Parts, saved: Parts, before: Parts) -> tuple[Parts, Parts, Parts]:
        """Differentiates the gates; the reset gate stands before the third block of the recurrent product."""
        z, r, g, recurrent_g = saved
        (dh,), (h,) = d_state, before
        through = dh * z
        d_g = tanh_gradient(g, dh - through)
        d_z = sigmoid_gradient(z, dh * (h - g))
        d_r = sigmoid_gradient(r, d_g * recurrent_g)
        return (d_z, d_r, d_g), (d_z, d_r, d_g * r), (through,)


class LSTMCell(Cell):
    """i, f, o = sigmoid(…); g = tanh(…); c' = f ⊙ c + i ⊙ g; h' = o ⊙ tanh(c')."""

    gates = 4
    states = 2
    saved = 5

    def step_of_sums(self, sums: Parts, state: Parts) -> tuple[Parts, Parts]:
        """Returns h' and c', and the gates and tanh(c')."""
        i, f, g, o = sums
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        c = f * state[1] + i * g
        tanh_c = ops.tanh(c)
        return (o * tanh_c, c), (i, f, g, o, tanh_c)

    def shown(self, saved: Parts, before: Parts) -> dict[str, Any]:
        """Returns the gates and c'."""
        i, f, g, o, _ = saved
        return {"input_gate": i, "forget_gate": f, "output_gate": o, "cell": f * before[1] + i * g}

    def step_back(self, d_state: Parts, saved: Parts, before: Parts) -> tuple[Parts, Parts, Parts]:
        """Differentiates the gates."""
        i, f, g, o, tanh_c = saved
        dh, dc = d_state
        dc = dc + tanh_gradient(tanh_c, dh * o)
        d_gates = (
            sigmoid_gradient(i, dc * g),
            sigmoid_gradient(f, dc * before[1]),
            tanh_gradient(g, dc * i),
            sigmoid_gradient(o, dh * tanh_c),
        )
        return d_gates, d_gates, (None, dc * f)


CELLS: dict[str, Cell] = {"rnn": RNNCell(), "gru": GRUCell(), "lstm": LSTMCell()}
