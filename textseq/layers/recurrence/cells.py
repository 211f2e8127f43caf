"""The equations of one time step, and their derivatives, for the tanh, GRU and LSTM cells.

A step's derivatives split into slopes, which only depend on what the forward scan kept and so are computed for all
steps at once, and the few products with the gradient of the state that must be done one step after another.

At padding the mask is 0 and the state is carried over. Where a cell can, the mask is folded into the gates before the
scan, so that a masked batch costs no more than a full one.

Source: GRU https://arxiv.org/abs/1406.1078 (with the reset gate after the product, as in cuDNN), LSTM
https://doi.org/10.1162/neco.1997.9.8.1735 with the forget gate of https://doi.org/10.1162/089976600300015015.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from keras import ops

# Sigmoid of it is exactly 1, and of its negative exactly 0, in every floating-point type.
_SATURATED = 1e4


class Cell(ABC):
    """One kind of recurrent cell.

    Attributes:
        blocks: Gates and candidates, each `units` wide, that a step computes from a product.
        states: Tensors in the state, h first.
        kept: Multiples of `units` that a step keeps beside the state, for the gradient.
    """

    blocks: int
    states: int
    kept: tuple[int, ...] = ()

    def bias_shape(self, units: int) -> tuple[int, ...]:
        """Returns the shape of the bias."""
        return (self.blocks * units,)

    def input_bias(self, bias: Any) -> Any:
        """Returns the part of the bias that is added before the scan. `(blocks * units,)`"""
        return bias

    def fold(self, projected: Any, mask: Any) -> Any:
        """Makes the gates at padding such that the state stays, as far as gates can."""
        return projected

    @abstractmethod
    def step(self, projected: Any, product: Any, states: list[Any], bias: Any) -> tuple[list[Any], list[Any]]:
        """Does one time step.

        Args:
            projected: The inputs times their kernel, bias added. `(batch, blocks * units)`
            product: h times the recurrent kernel. `(batch, blocks * units)`
            states: Before the step. `(batch, units)` each
            bias: The whole bias.

        Returns:
            The states after the step, and what to keep for the gradient.
        """

    @abstractmethod
    def slopes(self, states: list[Any], before: list[Any], kept: list[Any], mask: Any) -> list[Any]:
        """Returns the derivatives that need no scan, for all time steps; 0 at padding where they stand for gates."""

    @abstractmethod
    def step_back(self, gradients: list[Any], slopes: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """Does one time step of the reverse scan.

        Args:
            gradients: Of the states after the step. `(batch, units)` each
            slopes: Of this time step.

        Returns:
            The gradient of `product`; the gradients of the states before the step that do not go through it, None
            where there is none; what to keep. `(batch, …)`
        """

    @property
    @abstractmethod
    def kept_back(self) -> tuple[int, ...]:
        """Multiples of `units` that a step of the reverse scan keeps."""

    @abstractmethod
    def collect(self, kept_back: list[Any], slopes: list[Any]) -> tuple[Any, Any]:
        """Returns the gradients of `projected` and of `product` for all time steps. `(time, batch, blocks * units)`"""

    def bias_gradient(self, of_projected: Any, of_product: Any) -> Any:
        """Returns the gradient of the bias from those of `projected` and `product`. `(rows, blocks * units)` each"""
        return ops.sum(of_projected, axis=0)


class TanhCell(Cell):
    """h' = tanh(x·W + h·U + b)."""

    blocks, states, kept_back = 1, 1, (1,)

    def step(self, projected: Any, product: Any, states: list[Any], bias: Any) -> tuple[list[Any], list[Any]]:
        """Does one time step."""
        return [ops.tanh(projected + product)], []

    def slopes(self, states: list[Any], before: list[Any], kept: list[Any], mask: Any) -> list[Any]:
        """Returns dh'/d(pre-activation)."""
        slope = 1 - ops.square(states[0])
        return [slope if mask is None else slope * mask]

    def step_back(self, gradients: list[Any], slopes: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """Does one time step of the reverse scan."""
        through = gradients[0] * slopes[0]
        return through, [None], [through]

    def collect(self, kept_back: list[Any], slopes: list[Any]) -> tuple[Any, Any]:
        """Returns the gradient of the pre-activation, twice."""
        return kept_back[0], kept_back[0]


class GRUCell(Cell):
    """h' = z·h + (1 - z)·tanh(xW + b + r·(hU + b')); gates in Keras's order z, r, candidate."""

    blocks, states, kept, kept_back = 3, 1, (1, 1, 1, 1), (1,)

    def bias_shape(self, units: int) -> tuple[int, ...]:
        """Returns the shape of the two biases, the inputs' and the recurrent product's."""
        return (2, 3 * units)

    def input_bias(self, bias: Any) -> Any:
        """Returns both biases added, but the candidate's recurrent one, which the reset gate scales."""
        units = bias.shape[-1] // 3
        return bias[0] + ops.concatenate([bias[1, : 2 * units], ops.zeros_like(bias[1, 2 * units :])])

    def fold(self, projected: Any, mask: Any) -> Any:
        """Opens the update gate at padding, for z = 1 carries h over exactly."""
        units = projected.shape[-1] // 3
        update = ops.where(mask, projected[..., :units], _SATURATED)
        return ops.concatenate([update, projected[..., units:]], axis=-1)

    def step(self, projected: Any, product: Any, states: list[Any], bias: Any) -> tuple[list[Any], list[Any]]:
        """Does one time step."""
        units = states[0].shape[-1]
        gates = ops.sigmoid(projected[:, : 2 * units] + product[:, : 2 * units])
        update, reset = gates[:, :units], gates[:, units:]
        inner = product[:, 2 * units :] + bias[1, 2 * units :]
        candidate = ops.tanh(projected[:, 2 * units :] + reset * inner)
        return [candidate + update * (states[0] - candidate)], [update, reset, candidate, inner]

    def slopes(self, states: list[Any], before: list[Any], kept: list[Any], mask: Any) -> list[Any]:
        """Returns the update gate, and the slopes of `product` and of `projected`'s candidate."""
        update, reset, candidate, inner = kept
        of_candidate = (1 - update) * (1 - ops.square(candidate))
        of_update = (before[0] - candidate) * update * (1 - update)
        of_reset = of_candidate * inner * reset * (1 - reset)
        return [update, ops.concatenate([of_update, of_reset, of_candidate * reset], axis=-1), of_candidate]

    def step_back(self, gradients: list[Any], slopes: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """Does one time step of the reverse scan."""
        gradient = gradients[0]
        return ops.concatenate([gradient] * 3, axis=-1) * slopes[1], [gradient * slopes[0]], [gradient]

    def collect(self, kept_back: list[Any], slopes: list[Any]) -> tuple[Any, Any]:
        """Returns the gradients of `projected` and of `product`; they differ in the candidate's block."""
        gradient = kept_back[0]
        units = gradient.shape[-1]
        of_product = ops.concatenate([gradient] * 3, axis=-1) * slopes[1]
        of_projected = ops.concatenate([of_product[..., : 2 * units], gradient * slopes[2]], axis=-1)
        return of_projected, of_product

    def bias_gradient(self, of_projected: Any, of_product: Any) -> Any:
        """Returns the gradients of both biases."""
        return ops.stack([ops.sum(of_projected, axis=0), ops.sum(of_product, axis=0)])


class LSTMCell(Cell):
    """c' = f·c + i·g, h' = o·tanh(c'); gates in Keras's order i, f, g, o."""

    blocks, states, kept, kept_back = 4, 2, (1, 1, 1, 1), (1, 1)

    def fold(self, projected: Any, mask: Any) -> Any:
        """Shuts the input gate and opens the forget gate at padding, which carries c over exactly."""
        units = projected.shape[-1] // 4
        shut = ops.where(mask, projected[..., :units], -_SATURATED)
        open_ = ops.where(mask, projected[..., units : 2 * units], _SATURATED)
        return ops.concatenate([shut, open_, projected[..., 2 * units :]], axis=-1)

    def step(self, projected: Any, product: Any, states: list[Any], bias: Any) -> tuple[list[Any], list[Any]]:
        """Does one time step."""
        i, f, g, o = ops.split(projected + product, 4, axis=-1)
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        c = f * states[1] + i * g
        return [o * ops.tanh(c), c], [i, f, g, o]

    def slopes(self, states: list[Any], before: list[Any], kept: list[Any], mask: Any) -> list[Any]:
        """Returns the forget gate, dh'/dc', and the slopes of the gates."""
        i, f, g, o = kept
        tanh_c = ops.tanh(states[1])
        of_c, of_o = o * (1 - ops.square(tanh_c)), tanh_c * o * (1 - o)
        if mask is not None:
            of_c, of_o = of_c * mask, of_o * mask
        gates = [g * i * (1 - i), before[1] * f * (1 - f), i * (1 - ops.square(g)), of_o]
        return [f, of_c, ops.concatenate(gates, axis=-1)]

    def step_back(self, gradients: list[Any], slopes: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        """Does one time step of the reverse scan."""
        of_h = gradients[0]
        of_c = gradients[1] + of_h * slopes[1]
        return ops.concatenate([of_c, of_c, of_c, of_h], axis=-1) * slopes[2], [None, of_c * slopes[0]], [of_h, of_c]

    def collect(self, kept_back: list[Any], slopes: list[Any]) -> tuple[Any, Any]:
        """Returns the gradient of the gates before their activation, twice."""
        of_h, of_c = kept_back
        gates = ops.concatenate([of_c, of_c, of_c, of_h], axis=-1) * slopes[2]
        return gates, gates


CELLS: dict[str, Cell] = {"rnn": TanhCell(), "gru": GRUCell(), "lstm": LSTMCell()}
