"""SRU: a forget gate that sees the inputs alone, and a highway past the state.

Source: Lei & Zhang 2017, https://arxiv.org/abs/1709.02755v1 (its first version, whose gates do not see the state).
"""

from __future__ import annotations

from typing import Any, Literal

from keras import ops

from textseq.encoder import StackedEncoder
from textseq.layers.recurrence import LayerStack, LinearLayer
from textseq.registry import encoders


@encoders.register("sru")
class SRU(StackedEncoder):
    """Simple recurrent units, in both directions unless causal.

    Args:
        units: Width of the outputs; even unless causal, for each direction has half.
        causal: One direction, so that no step sees the future; otherwise both.
        depth: Layers.
        dropout: Fraction of each layer's inputs dropped in training, 0 to 1.
        variational: Whether a sequence drops the same features at every step.
        layer_norm: Whether each layer's outputs are normalised.
        activation: What the state goes through on its way out: "tanh" or "linear".
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: int,
        *,
        causal: bool = False,
        depth: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
        layer_norm: bool = False,
        activation: Literal["tanh", "linear"] = "tanh",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack = LayerStack(
            units,
            lambda width, **more: SRULayer(width, activation=activation, **more),
            depth=depth,
            causal=causal,
            dropout=dropout,
            variational=variational,
            layer_norm=layer_norm,
            dtype=self.dtype_policy,
        )


class SRULayer(LinearLayer):
    """f, r = sigmoid(…); c' = f ⊙ c + (1 - f) ⊙ Wx; h = r ⊙ g(c') + (1 - r) ⊙ x, where x is projected to h's width.

    Args:
        units: Width.
        activation: "tanh" or "linear": what g is.
        **kwargs: Arguments of `LinearLayer`.
    """

    gates: tuple[str, ...] = ("forget", "candidate", "reset")

    def __init__(self, units: int, *, activation: str = "tanh", **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.activation = activation

    def build(self, input_shape: Any) -> None:
        """Makes the weights; inputs of another width have one projection more."""
        if input_shape[-1] != self.units:
            self.gates = (*type(self).gates, "highway")
        super().build(input_shape)

    def first_bias(self, gate: str) -> str | None:
        """Returns zeros for the gates; candidate and highway have none."""
        return "zeros" if gate in ("forget", "reset") else None

    def coefficients(
        self, inputs: Any, forget: Any, candidate: Any, reset: Any, highway: Any = None
    ) -> tuple[Any, Any]:
        """Returns f, and 1 - f times the candidate."""
        return ops.sigmoid(forget), ops.sigmoid(-forget) * candidate

    def outputs(self, states: Any, inputs: Any, forget: Any, candidate: Any, reset: Any, highway: Any = None) -> Any:
        """Returns h."""
        past = ops.cast(inputs, states.dtype) if highway is None else highway
        shown = ops.tanh(states) if self.activation == "tanh" else states
        return past + ops.sigmoid(reset) * (shown - past)
